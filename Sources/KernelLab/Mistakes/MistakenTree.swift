// SPDX-License-Identifier: GPL-2.0-only

import Foundation
import SystemPackage

/// A source with a series applied that is broken in one way after the other, and built each time.
public struct MistakenTree: Sendable {
    private let tree: WorkingTree
    private let version: String
    private let architecture: any Architecture
    private let configuration: KernelConfiguration
    private let cache: KernelCache
    private let events: EventSink

    /// Takes the tree that such sources are made in, or waits for whoever has it.
    public init(
        of patched: SourceTree,
        architecture: any Architecture,
        configuration: KernelConfiguration,
        cache: KernelCache,
        events: EventSink
    ) async throws {
        tree = try await WorkingTree.take(for: "mistakes", of: patched, cache: cache, events: events)
        version = patched.version
        self.architecture = architecture
        self.configuration = configuration
        self.cache = cache
        self.events = events
    }

    /// Gives the tree to whoever waits for it. To be called once.
    public func release() { tree.release() }

    /// The kernel with the mistake in it, built or found built.
    ///
    /// - Throws: `SeriesError.doesNotApply`, `KernelBuildError`.
    public func kernel(with mistake: Mistake) async throws -> KernelImage {
        guard let last = tree.commits.last else { throw SeriesError.empty(tree.path) }
        try await tree.move(to: last)
        let identity = try await tree.apply(mistake.patch, reversed: mistake.isReversed)
        var build = KernelBuild(
            source: SourceTree(path: tree.path, version: version, identity: identity),
            architecture: architecture,
            configuration: configuration,
            cache: cache,
            events: events
        )
        build.objectsName = "mistakes"
        return try await build.build()
    }

    /// The hunks of the C files that the series has after its patch number `first`, each in a file of `folder`.
    ///
    /// - Parameter first: Patches that are left out, from the first on: those that only rename.
    public func hunks(after first: Int, into folder: FilePath) async throws -> [Mistake] {
        guard first < tree.commits.count, let last = tree.commits.last else { return [] }
        let diff = try await tree.diff(from: tree.commits[first], to: last)
        return try DiffHunk.all(of: diff).filter { hunk in
            let isOurs = !["arch/", "tools/", "Documentation/"].contains(where: hunk.file.hasPrefix)
            return isOurs && (hunk.file.hasSuffix(".c") || hunk.file.hasSuffix(".h"))
        }.map { hunk in
            let path = folder.appending(hunk.name.replacing("/", with: "_") + ".patch")
            try Data(hunk.text.utf8).write(to: URL(fileURLWithPath: path.string))
            return Mistake(name: hunk.name, patch: path, title: hunk.function, fails: ["*"], isReversed: true)
        }
    }
}
