// SPDX-License-Identifier: GPL-2.0-only

import Foundation
import SystemPackage
import Testing

@testable import KernelLab

@Suite struct SeriesApplicationTests {
    private struct Setup {
        var folder: FilePath
        var cache: KernelCache
        var source: KernelSource
        var tree: FilePath

        /// A series of patches that change one line each.
        func series(_ changes: (line: Int, from: String, to: String)...) throws -> PatchSeries {
            let path = folder.appending("series-\(UUID().uuidString)")
            try path.appending("0000-cover-letter.patch").write("Subject: [PATCH 0/9] cover\n\nNot a patch.\n")
            for (index, change) in changes.enumerated() {
                let text = FakeTree.patch(index + 1, line: change.line, from: change.from, to: change.to)
                try path.appending("000\(index + 1)-change.patch").write(text)
            }
            return try PatchSeries(directory: path)
        }

        /// The trees that the cache holds.
        func trees() throws -> [String] {
            try cache.folder(.trees).names().filter { !$0.hasSuffix(".lock") }
        }
    }

    private func withSetup(_ body: (Setup) async throws -> Void) async throws {
        try await withTemporaryFolder { folder in
            let tree = folder.appending("tree")
            try FakeTree.write(to: tree)
            try await FakeTree.commit(tree)
            let cache = KernelCache(root: folder.appending("cache"))
            let source = KernelSource(cache: cache, events: .discarding)
            try await body(Setup(folder: folder, cache: cache, source: source, tree: tree))
        }
    }

    @Test func appliesToACopy() async throws {
        try await withSetup { setup in
            let source = try await setup.source.tree(of: .tree(setup.tree))
            let series = try setup.series((5, "line 5", "five"), (10, "line 10", "ten"))
            let patched = try await series.apply(to: source, cache: setup.cache, events: .discarding)
            let lines = try patched.path.appending("mm/memory.c").text().split(separator: "\n")
            #expect(lines[4] == "five")
            #expect(lines[9] == "ten")
            #expect(patched.version == "7.2.13")
            #expect(patched.identity != source.identity)
            let log = try await Git(in: patched.path).capture(["log", "--format=%an: %s"])
            #expect(log.hasPrefix("A Hacker: mm: change line 10\nA Hacker: mm: change line 5\n"))
            #expect(try source.path.appending("mm/memory.c").text() == FakeTree.memory)
            #expect(try await series.apply(to: source, cache: setup.cache, events: .discarding) == patched)
            #expect(try setup.trees().count == 1)
        }
    }

    @Test func noneLeavesTheSourceAsItIs() async throws {
        try await withSetup { setup in
            let source = try await setup.source.tree(of: .tree(setup.tree))
            #expect(try await PatchSeries.none.apply(to: source, cache: setup.cache, events: .discarding) == source)
        }
    }

    @Test func patchThatDoesNotApplyIsNamedWithFileAndReject() async throws {
        try await withSetup { setup in
            let source = try await setup.source.tree(of: .tree(setup.tree))
            let series = try setup.series((5, "line 5", "five"), (10, "LINE TEN", "ten"), (15, "line 15", "x"))
            let error = await #expect(throws: SeriesError.self) {
                try await series.apply(to: source, cache: setup.cache, events: .discarding)
            }
            guard case .doesNotApply(let patch, let subject, "7.2.13", let rejects, _) = error else {
                Issue.record("\(String(describing: error))")
                return
            }
            #expect(patch == series.patches[1])
            #expect(subject == "mm: change line 10")
            #expect(rejects.map(\.file) == ["mm/memory.c"])
            #expect(rejects.first?.hunks.contains("-LINE TEN\n+ten\n") == true)
            #expect(error?.exitStatus == .build)
            #expect(error?.description.contains("0002-change.patch") == true)
            #expect(error?.description.contains("+ten") == true)
            let trees = try setup.trees()
            #expect(trees == [])
            let good = try setup.series((5, "line 5", "five"))
            _ = try await good.apply(to: source, cache: setup.cache, events: .discarding)
        }
    }

    @Test func patchToAFileThatIsNotThereIsNamed() async throws {
        try await withSetup { setup in
            let source = try await setup.source.tree(of: .tree(setup.tree))
            let series = try setup.series((5, "line 5", "five"))
            let patch = series.patches[0]
            try patch.write(try patch.text().replacingOccurrences(of: "mm/memory.c", with: "mm/missing.c"))
            let error = await #expect(throws: SeriesError.self) {
                try await series.apply(to: source, cache: setup.cache, events: .discarding)
            }
            #expect(error?.exitStatus == .build)
            #expect(error?.description.contains("mm/missing.c") == true)
            #expect(error?.description.contains("No such file") == true)
        }
    }

    @Test func whatIsNoPatchIsNamed() async throws {
        try await withSetup { setup in
            let source = try await setup.source.tree(of: .tree(setup.tree))
            let series = try setup.series((5, "line 5", "five"))
            try series.patches[0].write("no patch\n")
            let error = await #expect(throws: SeriesError.self) {
                try await series.apply(to: source, cache: setup.cache, events: .discarding)
            }
            #expect(error?.exitStatus == .build)
            #expect(error?.description.contains("0001-change.patch") == true)
        }
    }

    @Test func cancellationLeavesTheCacheUsable() async throws {
        try await withSetup { setup in
            let source = try await setup.source.tree(of: .tree(setup.tree))
            let series = try setup.series((5, "line 5", "five"))
            let task = Task {
                let events = EventSink { event in
                    if case .started(.patch, _) = event { withUnsafeCurrentTask { $0?.cancel() } }
                }
                return try await series.apply(to: source, cache: setup.cache, events: events)
            }
            await #expect(throws: CancellationError.self) { try await task.value }
            let trees = try setup.trees()
            #expect(trees == [])
            _ = try await series.apply(to: source, cache: setup.cache, events: .discarding)
        }
    }

    // MARK: In place

    @Test func appliesInPlaceOnce() async throws {
        try await withSetup { setup in
            let tree = try await setup.source.tree(of: .inPlace(setup.tree))
            let series = try setup.series((5, "line 5", "five"), (10, "line 10", "ten"))
            let patched = try await series.applyInPlace(to: tree, cache: setup.cache, events: .discarding)
            #expect(patched.path == tree.path)
            #expect(patched.identity != tree.identity)
            #expect(try setup.tree.appending("mm/memory.c").text().contains("five\n"))
            #expect(try await series.applyInPlace(to: patched, cache: setup.cache, events: .discarding) == patched)
            #expect(try await Git(in: setup.tree).line(["rev-list", "--count", "HEAD"]) == "3")
        }
    }

    @Test func failureInPlaceRestoresTheTree() async throws {
        try await withSetup { setup in
            let tree = try await setup.source.tree(of: .inPlace(setup.tree))
            let git = try Git(in: setup.tree)
            let head = try await git.line(["rev-parse", "HEAD"])
            let series = try setup.series((5, "line 5", "five"), (10, "LINE TEN", "ten"))
            let error = await #expect(throws: SeriesError.self) {
                try await series.applyInPlace(to: tree, cache: setup.cache, events: .discarding)
            }
            #expect(error?.description.contains("0002-change.patch") == true)
            #expect(try await git.line(["rev-parse", "HEAD"]) == head)
            #expect(try await git.capture(["status", "--porcelain"]) == "")
            #expect(try setup.tree.appending("mm/memory.c").text() == FakeTree.memory)
            #expect(!setup.tree.appending(".git/rebase-apply").exists)
        }
    }

    @Test func dirtyTreeIsRefused() async throws {
        try await withSetup { setup in
            try setup.tree.appending("mm/memory.c").write("mine\n")
            let tree = try await setup.source.tree(of: .inPlace(setup.tree))
            let series = try setup.series((5, "line 5", "five"))
            await #expect(throws: SeriesError.notClean(tree: tree.path, files: ["mm/memory.c"])) {
                try await series.applyInPlace(to: tree, cache: setup.cache, events: .discarding)
            }
            #expect(try setup.tree.appending("mm/memory.c").text() == "mine\n")
        }
    }

    @Test func mailOfTheUsersUnderWayIsRefused() async throws {
        try await withSetup { setup in
            let tree = try await setup.source.tree(of: .inPlace(setup.tree))
            let series = try setup.series((10, "LINE TEN", "ten"))
            let git = try Git(in: setup.tree)
            #expect(try await !git.status(["am", series.patches[0].string]).isSuccess)
            await #expect(throws: SeriesError.busy(tree: tree.path, what: "git am or rebase")) {
                try await series.applyInPlace(to: tree, cache: setup.cache, events: .discarding)
            }
            #expect(setup.tree.appending(".git/rebase-apply").exists)
        }
    }

    @Test func plainFolderIsRefused() async throws {
        try await withSetup { setup in
            try removeAll(setup.tree.appending(".git"))
            let tree = try await setup.source.tree(of: .inPlace(setup.tree))
            let series = try setup.series((5, "line 5", "five"))
            await #expect(throws: SeriesError.notARepository(tree: tree.path)) {
                try await series.applyInPlace(to: tree, cache: setup.cache, events: .discarding)
            }
        }
    }
}
