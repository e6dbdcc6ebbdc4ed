// SPDX-License-Identifier: GPL-2.0-only

import Foundation
import Glibc
import SystemPackage
import Testing

@testable import KernelLab

@Suite struct UserTreeTests {
    /// Runs `body` with a tree and a source whose cache is elsewhere.
    private func withTree(_ body: (FilePath, KernelSource) async throws -> Void) async throws {
        try await withTemporaryFolder { folder in
            let tree = folder.appending("tree")
            try FakeTree.write(to: tree)
            let cache = KernelCache(root: folder.appending("cache"))
            try await body(tree, KernelSource(cache: cache, events: .discarding))
        }
    }

    @Test func snapshotHoldsChangedAndNewFilesAndNoBuildProducts() async throws {
        try await withTree { tree, source in
            try await FakeTree.commit(tree)
            try tree.appending("mm/memory.c").write("changed\n")
            try tree.appending("mm/new.c").write("new\n")
            try tree.appending("new.txt").write("new\n")
            try removeAll(tree.appending("scripts/build.sh"))
            try tree.appending("scripts/other.sh").write("")
            for product in ["mm/memory.o", "mm/table.gen", "vmlinux", ".config", "include/config/auto.conf"] {
                try tree.appending(FilePath(product).components).write("built\n")
            }
            let snapshot = try await source.tree(of: .tree(tree))
            let files = try await Git(in: snapshot.path).capture(["ls-files"]).split(separator: "\n")
            #expect(
                files == [
                    ".gitignore", "Kconfig", "Makefile", "mm/.gitignore", "mm/memory.c", "mm/new.c", "new.txt",
                    "scripts/other.sh",
                ]
            )
            #expect(try snapshot.path.appending("mm/memory.c").text() == "changed\n")
            #expect(snapshot.version == "7.2.13")
        }
    }

    @Test(arguments: [true, false])
    func theTreeItselfIsNotTouched(isRepository: Bool) async throws {
        try await withTree { tree, source in
            if isRepository { try await FakeTree.commit(tree) }
            try tree.appending("mm/memory.c").write("changed\n")
            let before = try await fingerprint(tree)
            let snapshot = try await source.tree(of: .tree(tree))
            _ = try await source.tree(of: .inPlace(tree))
            #expect(try await fingerprint(tree) == before)
            #expect(snapshot.path != tree)
        }
    }

    @Test func unchangedTreeIsFoundAndChangedOneIsNot() async throws {
        try await withTree { tree, source in
            try await FakeTree.commit(tree)
            let first = try await source.tree(of: .tree(tree))
            #expect(try await source.tree(of: .tree(tree)) == first)
            try tree.appending("mm/new.c").write("1\n")
            let second = try await source.tree(of: .tree(tree))
            #expect(second.identity != first.identity)
            try tree.appending("mm/new.c").write("22\n")
            #expect(try await source.tree(of: .tree(tree)).identity != second.identity)
            try removeAll(tree.appending("mm/new.c"))
            #expect(try await source.tree(of: .tree(tree)) == first)
        }
    }

    @Test func gitTreeAndPlainCopyAreTheSame() async throws {
        try await withTree { tree, source in
            let plain = try await source.tree(of: .tree(tree))
            try await FakeTree.commit(tree)
            #expect(try await source.tree(of: .tree(tree)).identity == plain.identity)
            #expect(
                try await source.tree(of: .inPlace(tree))
                    == SourceTree(
                        path: tree,
                        version: "7.2.13",
                        identity: plain.identity
                    )
            )
        }
    }

    @Test func recordThatIsDamagedIsMadeAnew() async throws {
        try await withTree { tree, source in
            let first = try await source.tree(of: .tree(tree))
            let snapshots = first.path.removingLastComponent().removingLastComponent().appending("snapshots")
            let record = try #require(try snapshots.names().first { !$0.hasSuffix(".lock") })
            // A killed git leaves its lock.
            try snapshots.appending(record).appending("git/index.lock").write("")
            try tree.appending("mm/new.c").write("1\n")
            #expect(try await source.tree(of: .tree(tree)).identity != first.identity)
        }
    }

    /// Root may read anything.
    @Test(.enabled(if: geteuid() != 0, "root can read every file"))
    func unreadableFileIsNamed() async throws {
        try await withTree { tree, source in
            let file = tree.appending("mm/memory.c")
            chmod(file.string, 0)
            let error = await #expect(throws: SourceError.self) { try await source.tree(of: .tree(tree)) }
            #expect(error?.exitStatus == .usage)
            #expect(error?.description.contains("mm/memory.c") == true)
        }
    }

    @Test func whatIsNoTreeIsAUsageError() async throws {
        try await withTemporaryFolder { folder in
            let source = KernelSource(cache: KernelCache(root: folder.appending("cache")), events: .discarding)
            for request in [SourceRequest.tree(folder), .inPlace(folder), .base("latest")] {
                let error = await #expect(throws: SourceError.self) { try await source.tree(of: request) }
                #expect(error?.exitStatus == .usage)
            }
            #expect(!folder.appending("cache").exists)
        }
    }
}
