// SPDX-License-Identifier: GPL-2.0-only

import Foundation
import SystemPackage

/// Folders of results: `results/2026-11-21T10-15-00Z` each, and `results/latest`, which points to the newest whole one.
public enum ResultsFolder {
    /// The name of the link to the newest whole folder.
    public static let latest = "latest"

    /// Makes an empty folder under `parent`, named after the time in UTC; a second run within a second gets "-2" and so on.
    public static func make(in parent: FilePath, at date: Date = Date()) throws(ResultsError) -> FilePath {
        do {
            try FileManager.default.createDirectory(atPath: parent.string, withIntermediateDirectories: true)
        } catch {
            throw .unwritable(file: parent, error: error.errno)
        }
        let name = name(at: date)
        for suffix in [""] + (2...999).map({ "-\($0)" }) {
            let folder = parent.appending(name + suffix)
            if mkdir(folder.string, 0o777) == 0 { return folder }
            // Whoever made it first has it: two runs never share a folder.
            guard errno == EEXIST else { throw .unwritable(file: folder, error: Errno(rawValue: errno)) }
        }
        throw .unwritable(file: parent.appending(name), error: .fileExists)
    }

    /// Colons, as ISO 8601 has them, would need quoting in shells and are forbidden on some file systems.
    static func name(at date: Date) -> String {
        let style = Date.ISO8601FormatStyle(timeZone: .gmt)
        return date.formatted(style).replacing(":", with: "-")
    }

    /// Points `latest`, beside `folder`, to it; at every moment the link is whole.
    static func setLatest(_ folder: FilePath) throws(ResultsError) {
        guard let name = folder.lastComponent?.string else { return }
        let link = folder.removingLastComponent().appending(latest)
        let new = folder.removingLastComponent().appending(".\(latest).\(getpid())")
        unlink(new.string)
        guard symlink(name, new.string) == 0, rename(new.string, link.string) == 0 else {
            let error = Errno(rawValue: errno)
            unlink(new.string)
            throw .unwritable(file: link, error: error)
        }
    }

    /// Puts a file in place in one go: it is the old one, or none, until all of the new one is on the disk.
    static func write(_ data: Data, to file: FilePath) throws(ResultsError) {
        let new = file.removingLastComponent().appending(".\(file.lastComponent?.string ?? "file").\(getpid())")
        do {
            let descriptor = try FileDescriptor.open(
                new,
                .writeOnly,
                options: [.create, .truncate, .closeOnExec],
                permissions: [.ownerReadWrite, .groupRead, .otherRead]
            )
            try descriptor.closeAfter {
                _ = try descriptor.writeAll(data)
                // Some file systems find out only now that they are full.
                guard fsync(descriptor.rawValue) == 0 else { throw Errno(rawValue: errno) }
            }
            guard rename(new.string, file.string) == 0 else { throw Errno(rawValue: errno) }
        } catch {
            unlink(new.string)
            throw .unwritable(file: file, error: error as? Errno ?? .ioError)
        }
    }
}
