// SPDX-License-Identifier: GPL-2.0-only

import Crypto
import Foundation
import SystemPackage

/// A SHA-256 digest over labelled inputs: equal keys, equal inputs.
///
/// Labels and lengths are hashed with the values, so that no two lists of inputs run together into the same bytes.
public struct ContentKey: Sendable, Hashable, CustomStringConvertible {
    /// The digest, 64 hexadecimal digits.
    public let hex: String

    /// The first 16 digits: enough to name an entry of the cache.
    public var short: String { String(hex.prefix(16)) }

    /// The 64 digits.
    public var description: String { hex }

    /// Makes a key of texts.
    public init(_ inputs: KeyValuePairs<String, String>) {
        var hasher = ContentHasher()
        for (label, value) in inputs { hasher.add(label, value) }
        self = hasher.key
    }

    fileprivate init(_ digest: SHA256.Digest) {
        hex = digest.map { byte in
            let digits = String(byte, radix: 16)
            return digits.count == 1 ? "0" + digits : digits
        }.joined()
    }

    /// The plain SHA-256 of a file, as `sha256sum` prints it.
    ///
    /// - Throws: `Errno` where the file cannot be read.
    public static func sha256(ofFile path: FilePath) throws -> String {
        var digest = SHA256()
        try forEachChunk(of: path) { digest.update(bufferPointer: $0) }
        return ContentKey(digest.finalize()).hex
    }

    fileprivate static func forEachChunk(of path: FilePath, _ body: (UnsafeRawBufferPointer) -> Void) throws {
        let file = try FileDescriptor.open(path, .readOnly, options: .closeOnExec)
        defer { try? file.close() }
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 20, alignment: 16)
        defer { buffer.deallocate() }
        while case let count = try file.read(into: buffer), count > 0 {
            body(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
        }
    }
}

/// Collects the inputs of a `ContentKey`.
public struct ContentHasher: Sendable {
    private var digest = SHA256()

    /// Starts without inputs.
    public init() {}

    /// Adds a text.
    public mutating func add(_ label: String, _ value: String) {
        add(label, bytes: Array(value.utf8))
    }

    /// Adds bytes.
    public mutating func add(_ label: String, bytes: [UInt8]) {
        frame(label, count: bytes.count)
        digest.update(data: bytes)
    }

    /// Adds the content of a file; its name does not count.
    ///
    /// - Throws: `Errno` where the file cannot be read.
    public mutating func add(_ label: String, file: FilePath) throws {
        // A file is added by its digest, so that one that grows while it is read cannot shift the framing.
        add(label, try ContentKey.sha256(ofFile: file))
    }

    /// The key of all that was added.
    public var key: ContentKey { ContentKey(digest.finalize()) }

    private mutating func frame(_ label: String, count: Int) {
        digest.update(data: Array("\(label.utf8.count):\(label)\(count):".utf8))
    }
}
