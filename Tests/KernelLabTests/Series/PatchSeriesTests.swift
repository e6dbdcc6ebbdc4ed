// SPDX-License-Identifier: GPL-2.0-only

import SystemPackage
import Testing

@testable import KernelLab

@Suite struct PatchSeriesTests {
    @Test func readsAFolderInOrder() async throws {
        try await withTemporaryFolder { folder in
            for name in ["0002-b.patch", "0001-a.patch", "0000-cover-letter.patch", "README.md", "notes.patch"] {
                try folder.appending("v7.2").appending(name).write(name)
            }
            let series = try PatchSeries.named("v7.2", in: folder)
            #expect(series.name == "v7.2")
            #expect(series.patches.map(\.lastComponent?.string) == ["0001-a.patch", "0002-b.patch"])
            #expect(series.coverLetter?.lastComponent?.string == "0000-cover-letter.patch")
            #expect(try PatchSeries.named(folder.appending("v7.2").string, in: "/nonexistent") == series)
        }
    }

    @Test func keyIsOfWhatThePatchesSayAndTheirOrder() async throws {
        try await withTemporaryFolder { folder in
            func key(_ patches: [String], cover: String = "") throws -> ContentKey {
                let path = folder.appending("\(patches.joined())-\(cover)")
                try path.appending("0000-cover-letter.patch").write(cover)
                for (index, patch) in patches.enumerated() {
                    try path.appending("000\(index + 1)-x.patch").write(patch)
                }
                return try PatchSeries(directory: path).key
            }
            let one = try key(["a", "b"])
            let keys = try [key(["a", "b"], cover: "other"), key(["b", "a"]), key(["a"])]
            #expect(keys.map { $0 == one } == [true, false, false])
        }
    }

    @Test func unknownNameTellsTheKnownOnes() async throws {
        try await withTemporaryFolder { folder in
            try folder.appending("v7.2/0001-a.patch").write("")
            try folder.appending("README.md").write("")
            let error = #expect(throws: SeriesError.unknown(name: "v7.1", known: ["v7.2"])) {
                try PatchSeries.named("v7.1", in: folder)
            }
            #expect(error?.exitStatus == .usage)
            #expect(error?.description.contains("v7.2, none") == true)
        }
    }

    @Test func noneIsEmpty() throws {
        #expect(try PatchSeries.named("none", in: "/nonexistent").isEmpty)
    }

    @Test func folderWithoutPatchesIsAnError() async throws {
        try await withTemporaryFolder { folder in
            #expect(throws: SeriesError.empty(folder)) { try PatchSeries(directory: folder) }
            let error = #expect(throws: SeriesError.self) { try PatchSeries(directory: folder.appending("missing")) }
            #expect(error?.exitStatus == .usage)
        }
    }

    @Test func summariesTellSubjectAndChanges() async throws {
        try await withTemporaryFolder { folder in
            let patch = FakeTree.patch(1, line: 5, from: "line 5", to: "LINE 5", subject: "shout at")
            try folder.appending("0001-a.patch").write(patch)
            let summaries = try await PatchSeries(directory: folder).summaries()
            #expect(
                summaries == [
                    PatchSummary(
                        name: "0001-a.patch",
                        subject: "mm: shout at line 5",
                        changes: [.init(file: "mm/memory.c", added: 1, removed: 1)]
                    )
                ]
            )
        }
    }

    @Test func whatIsNoPatchIsNamed() async throws {
        try await withTemporaryFolder { folder in
            try folder.appending("0001-a.patch").write("not a patch\n")
            let series = try PatchSeries(directory: folder)
            let error = await #expect(throws: SeriesError.self) { try await series.summaries() }
            #expect(error?.exitStatus == .build)
            #expect(error?.description.contains("0001-a.patch") == true)
        }
    }

    @Test func binaryFilesHaveNoNumbers() {
        #expect(
            PatchSeries.changes(in: "1\t2\ta b.c\n-\t-\tlogo.gif\n")
                == [.init(file: "a b.c", added: 1, removed: 2), .init(file: "logo.gif", added: nil, removed: nil)]
        )
    }
}
