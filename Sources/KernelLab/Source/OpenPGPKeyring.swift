// SPDX-License-Identifier: GPL-2.0-only

import Foundation
import SystemPackage

/// Public keys whose signatures we trust.
public struct OpenPGPKeyring: Sendable, Hashable {
    /// The keys as OpenPGP packets, which is what gpgv(1) reads.
    let packets: Data

    /// Reads an ASCII-armoured block of keys (RFC 9580, section 6.2); nil if it is none.
    public init?(armored text: String) {
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false).map {
            $0.trimmingCharacters(in: .whitespaces)
        }
        guard let begin = lines.firstIndex(of: "-----BEGIN PGP PUBLIC KEY BLOCK-----"),
            let end = lines.firstIndex(of: "-----END PGP PUBLIC KEY BLOCK-----"), begin < end
        else { return nil }
        // Headers end at an empty line; a line that begins with "=" is a checksum.
        guard let blank = lines[begin..<end].firstIndex(of: "") else { return nil }
        let body = lines[(blank + 1)..<end].filter { !$0.hasPrefix("=") }.joined()
        guard let packets = Data(base64Encoded: body), !packets.isEmpty else { return nil }
        self.packets = packets
    }

    /// The keys of those who sign Linux releases: Linus Torvalds (mainline), Greg Kroah-Hartman and Sasha Levin
    /// (stable), as Debian's kernel package carries them in `debian/upstream/signing-key.asc`.
    public static let kernelOrg: OpenPGPKeyring = {
        let text = String(decoding: PackageResources.kernel_org_keys_asc, as: UTF8.self)
        guard let keyring = OpenPGPKeyring(armored: text) else {
            preconditionFailure("Resources/kernel-org-keys.asc is not a block of public keys")
        }
        return keyring
    }()

    /// Verifies that `signature` is one of these keys' over what the compressed `archive` holds: kernel.org signs the tar.
    ///
    /// - Parameter scratch: A folder for the keyring's file.
    /// - Throws: `SourceError.notVerified`.
    func verify(archive: FilePath, signature: FilePath, scratch: FilePath) async throws {
        let keyring = scratch.appending("keyring.gpg")
        try packets.write(to: URL(fileURLWithPath: keyring.string))
        defer { try? FileManager.default.removeItem(atPath: keyring.string) }
        let xz = try Tool.find("xz")
        let gpgv = try Tool.find("gpgv")
        // The pipe's status is gpgv's. Where xz fails, gpgv sees the end too early, and the signature does not fit.
        let script = #""$1" --decompress --stdout -- "$2" | "$3" --keyring "$4" -- "$5" -"#
        let arguments = ["-c", script, "sh", xz.path.string, archive.string, gpgv.path.string, keyring.string]
        do {
            try await Tool.find("sh").run(arguments + [signature.string])
        } catch ToolError.failed(_, _, let lines, _) {
            throw SourceError.notVerified(file: archive.string, reason: lines.suffix(2).joined(separator: "; "))
        }
    }
}
