// SPDX-License-Identifier: GPL-2.0-only

import Foundation
import SystemPackage

/// A kernel tree of the user's, be it a git work tree or a plain folder.
///
/// What it holds is recorded in a repository of ours whose work tree is the user's folder: theirs is only read, and a
/// second look costs no more than a `git status`. The ID of the resulting git tree object is the tree's identity.
struct UserTree: Sendable {
    /// The tree's folder, free of symbolic links.
    let path: FilePath
    private let version: String
    private let cache: KernelCache
    private let events: EventSink

    /// - Throws: `SourceError.notAKernelTree`.
    init(_ path: FilePath, cache: KernelCache, events: EventSink) throws {
        let here = FilePath(FileManager.default.currentDirectoryPath)
        let url = URL(fileURLWithPath: here.pushing(path).lexicallyNormalized().string)
        self.path = FilePath(url.resolvingSymlinksInPath().path)
        self.cache = cache
        self.events = events
        version = try KernelTree.version(of: self.path)
    }

    /// The user's folder itself, with what it holds now as its identity.
    func itself() async throws -> SourceTree {
        SourceTree(path: path, version: version, identity: try await recording { _, tree in tree })
    }

    /// A copy of the tree in the cache: what is committed, changed and new, and nothing that a build left there.
    func snapshot() async throws -> SourceTree {
        try await recording { recorder, tree in
            let entry = try await cache.entry(
                .sources,
                name: "tree-\(tree)",
                what: "the snapshot of \(path)",
                events: events,
                isWhole: { try await SourceRepository(path: $0).isWhole() },
                make: { try await recorder.checkOut(tree, into: $0) }
            )
            return try await SourceRepository(path: entry.path).tree()
        }
    }

    /// Records the tree's content and hands the recorder and the tree object's ID to `body`, which nobody disturbs.
    private func recording<Value>(_ body: (TreeRecorder, String) async throws -> Value) async throws -> Value {
        let name = "of-" + ContentKey(["tree": path.string]).short
        let lock = try await cache.lock(.snapshots, name: name, what: "a snapshot of \(path)", events: events)
        defer { lock.release() }
        events.send(.started(.snapshot, detail: path.string))
        let repository = try cache.folder(.snapshots).appending(name)
        let recorder = TreeRecorder(tree: path, repository: repository)
        do {
            let tree = try await recorder.record()
            let value = try await body(recorder, tree)
            events.send(.finished(.snapshot, detail: "\(version), \(tree.prefix(12))"))
            return value
        } catch {
            throw StorageError.explaining(error, in: repository.removingLastComponent())
        }
    }
}
