// SPDX-License-Identifier: GPL-2.0-only

import Glibc
import SystemPackage

/// A lock on a file (flock(2)), held by this process until it is released or the process dies, however it dies.
final class FileLock: Sendable {
    private let descriptor: FileDescriptor

    private init(descriptor: FileDescriptor) {
        self.descriptor = descriptor
    }

    /// Gives the lock up. To be called once.
    func release() {
        // Closing the only descriptor of the open file releases the lock.
        try? descriptor.close()
    }

    /// Takes the lock if nobody holds it, else returns nil.
    ///
    /// - Throws: `StorageError` where the file cannot be made.
    static func attempt(_ path: FilePath) throws -> FileLock? {
        let descriptor = try open(path)
        if flock(descriptor.rawValue, LOCK_EX | LOCK_NB) == 0 {
            writeHolder(to: descriptor)
            return FileLock(descriptor: descriptor)
        }
        let error = Errno(rawValue: errno)
        try? descriptor.close()
        guard error == .wouldBlock else {
            throw StorageError.notWritable(folder: path.removingLastComponent(), reason: "\(path): \(error)")
        }
        return nil
    }

    /// Takes the lock; `waiting` is called once, with the holder's process ID if known, if somebody else holds it.
    ///
    /// A wait in flock(2) could not be cancelled, so this looks again and again.
    static func take(_ path: FilePath, waiting: (pid_t?) -> Void) async throws -> FileLock {
        if let lock = try attempt(path) { return lock }
        waiting(holder(of: path))
        while true {
            try await Task.sleep(for: .milliseconds(100))
            if let lock = try attempt(path) { return lock }
        }
    }

    /// Who holds or last held the lock.
    private static func holder(of path: FilePath) -> pid_t? {
        guard let file = try? FileDescriptor.open(path, .readOnly, options: .closeOnExec) else { return nil }
        defer { try? file.close() }
        var bytes = [UInt8](repeating: 0, count: 16)
        let count = (try? bytes.withUnsafeMutableBytes { try file.read(into: $0) }) ?? 0
        return pid_t(String(decoding: bytes[..<count], as: UTF8.self).prefix { $0.isNumber })
    }

    private static func writeHolder(to descriptor: FileDescriptor) {
        // For people only: without it the note of those who wait is less helpful.
        _ = ftruncate(descriptor.rawValue, 0)
        _ = try? descriptor.writeAll(toAbsoluteOffset: 0, Array("\(getpid())\n".utf8))
    }

    private static func open(_ path: FilePath) throws -> FileDescriptor {
        do {
            return try FileDescriptor.open(
                path,
                .readWrite,
                options: [.create, .closeOnExec],
                permissions: [.ownerReadWrite, .groupReadWrite, .otherReadWrite]
            )
        } catch let error as Errno {
            throw StorageError.explaining(
                error == .noSpace
                    ? error : StorageError.notWritable(folder: path.removingLastComponent(), reason: "\(error)"),
                in: path.removingLastComponent()
            )
        }
    }
}
