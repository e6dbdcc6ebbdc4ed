// SPDX-License-Identifier: GPL-2.0-only

import Foundation
import Glibc
import SystemPackage

/// What can go wrong with the folders that we write to.
public enum StorageError: LabError, Hashable {
    /// No space is left; `free` is in bytes.
    case full(folder: FilePath, free: UInt64)
    /// A folder cannot be made, or nothing can be made in it.
    case notWritable(folder: FilePath, reason: String)

    /// The machine lacks space, or a folder that we may write to.
    public var exitStatus: ExitStatus { .environment }

    /// What happened, to which folder, and the way out.
    public var description: String {
        switch self {
        case .full(let folder, let free):
            """
            no space is left on the file system of \(folder) (\(free) bytes free). Nothing half-made was kept. \
            Free some space, or set RWP_CACHE to a folder on another disk; a kernel takes about 5 GB there
            """
        case .notWritable(let folder, let reason):
            "cannot write to \(folder): \(reason). Make it writable, or set RWP_CACHE to a folder of yours"
        }
    }

    /// The bytes that an ordinary user may still write to the file system of `folder`; nil if it cannot be asked.
    public static func freeBytes(at folder: FilePath) -> UInt64? {
        var stat = statvfs()
        guard statvfs(folder.string, &stat) == 0 else { return nil }
        return UInt64(stat.f_bavail) * UInt64(stat.f_frsize)
    }

    /// `error`, or `full` where it comes of `folder`'s disk being full, whoever met that: we, Foundation or a program.
    ///
    /// To be asked before anything is removed from the folder.
    public static func explaining(_ error: any Error, in folder: FilePath) -> any Error {
        if error is CancellationError || error is StorageError { return error }
        let free = freeBytes(at: folder)
        // Some programs do not say why a write failed (curl's status 23): with no space left, that is why.
        let nothingLeft = free.map { $0 < 1 << 20 } ?? false
        return saysFull(error) || nothingLeft ? StorageError.full(folder: folder, free: free ?? 0) : error
    }

    private static func saysFull(_ error: any Error) -> Bool {
        switch error {
        case let error as Errno:
            return error == .noSpace || error == .diskQuotaExceeded
        case ToolError.logNotWritten(_, let error):
            return saysFull(error)
        case ToolError.failed(_, _, let lastLines, _):
            return lastLines.contains { $0.contains("No space left on device") || $0.contains("Disk quota exceeded") }
        case let error as CocoaError where error.code == .fileWriteOutOfSpace:
            return true
        default:
            let error = error as NSError
            if error.domain == NSPOSIXErrorDomain { return error.code == ENOSPC || error.code == EDQUOT }
            let underlying = error.userInfo[NSUnderlyingErrorKey] as? any Error
            return underlying.map { saysFull($0) } ?? false
        }
    }
}
