// SPDX-License-Identifier: GPL-2.0-only

import Foundation
import SystemPackage

/// kernel.org, or a mirror of it: archives that are signed by Linux's maintainers.
public struct KernelOrg: Sendable {
    /// The folder that holds `v7.x/`; HTTP or HTTPS. Where it is does not matter, who signed does.
    public var url: String
    /// Whose signatures count.
    public var keyring: OpenPGPKeyring

    /// kernel.org itself, unless told otherwise.
    public init(url: String = "https://cdn.kernel.org/pub/linux/kernel", keyring: OpenPGPKeyring = .kernelOrg) {
        self.url = url
        self.keyring = keyring
    }

    /// Fetches and verifies the archive of `base` into `folder`; one that is there from an earlier run is verified too.
    ///
    /// - Returns: The archive and the version that it holds.
    func fetch(_ base: Base, into folder: FilePath, events: EventSink) async throws -> Archive {
        // The first release of a series goes without its third number: linux-7.2, not linux-7.2.0.
        let version = base.sublevel == 0 ? base.series : base.version
        let location = "\(url)/v\(base.major).x/linux-\(version).tar"
        let archive = folder.appending("linux-\(version).tar.xz")
        let signature = folder.appending("linux-\(version).tar.sign")
        events.send(.started(.fetch, detail: "linux-\(version) from \(url)"))
        let wasThere = FileManager.default.fileExists(atPath: archive.string)
        try? FileManager.default.removeItem(atPath: signature.string)
        // The signature first: it is small, and shows within seconds whether there is anybody to ask.
        try await Download(url: location + ".sign", path: signature).fetch(events: .discarding)
        defer { try? FileManager.default.removeItem(atPath: signature.string) }
        try await Download(url: location + ".xz", path: archive).fetch(events: events)
        do {
            try await keyring.verify(archive: archive, signature: signature, scratch: folder)
        } catch let error as SourceError {
            try? FileManager.default.removeItem(atPath: archive.string)
            guard wasThere else { throw error }
            events.send(.note("\(archive) was damaged: fetching it anew"))
            return try await fetch(base, into: folder, events: events)
        }
        events.send(.finished(.fetch, detail: "linux-\(version).tar.xz, signature verified"))
        return Archive(path: archive)
    }
}
