// SPDX-License-Identifier: GPL-2.0-only

import Foundation
import SystemPackage

/// Where the object files of a build are, and how long they stay.
///
/// For a tree of the cache that is a folder of the tree: kbuild then calls the source "..", compiler commands are the
/// same whatever the tree's name, and ccache knows the files that a new version of a series has not touched. They go
/// when the kernel is built; those of a failed or interrupted build wait for the next. Those of a tree that moves from
/// state to state stay, under a name.
///
/// A tree of the user's is left alone. Its objects stay in the cache, so that an edit rebuilds what it touches, until
/// four other trees or configurations have been built since.
struct ObjectFolder {
    private let path: FilePath
    private let isOfCachedTree: Bool
    private let isKept: Bool
    private let lock: FileLock?

    /// How many folders of users' trees stay, some 300 MB each.
    private static let kept = 4

    /// Names the folder and, where another key may mean the same one, waits for whoever uses it.
    init(for build: KernelBuild, key: ContentKey) async throws {
        isOfCachedTree = build.source.path.starts(with: build.cache.root)
        if isOfCachedTree {
            path = build.source.path.appending(".objects-\(build.objectsName ?? key.short)")
            isKept = build.objectsName != nil
            lock = nil
            return
        }
        isKept = false
        let place = ContentKey([
            "tree": build.source.path.string,
            "architecture": build.architecture.name,
            "configuration": build.configuration.text,
        ])
        path = try build.cache.folder(.objects).appending(place.short)
        lock = try await build.cache.lock(
            .objects,
            name: place.short,
            what: "the kernel of \(build.source.path)",
            events: build.events
        )
    }

    /// Runs a build in the folder.
    func use(_ build: (FilePath) async throws -> Void) async throws {
        defer { lock?.release() }
        try await build(path)
        if isKept { return }
        // What cannot be removed does no harm, and the kernel is built.
        if isOfCachedTree {
            try? FileManager.default.removeItem(atPath: path.string)
        } else {
            removeOldest()
        }
    }

    /// Removes the folders that were built in longest ago, but for those in use.
    private func removeOldest() {
        let files = FileManager.default
        let folder = path.removingLastComponent()
        let names = ((try? files.contentsOfDirectory(atPath: folder.string)) ?? []).filter { !$0.hasPrefix(".") }
        let byAge = names.sorted { age(of: folder.appending($0)) < age(of: folder.appending($1)) }
        for name in byAge.dropFirst(Self.kept) {
            guard let lock = try? FileLock.attempt(folder.appending(".\(name).lock")) else { continue }
            try? files.removeItem(atPath: folder.appending(name).string)
            lock.release()
        }
    }

    /// Seconds since a build last wrote its log there.
    private func age(of folder: FilePath) -> TimeInterval {
        let log = folder.appending(KernelMake.logName).string
        let date = try? FileManager.default.attributesOfItem(atPath: log)[.modificationDate] as? Date
        return -(date ?? .distantPast).timeIntervalSinceNow
    }
}
