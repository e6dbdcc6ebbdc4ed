// SPDX-License-Identifier: GPL-2.0-only

import Foundation
import SystemPackage
import Testing

@testable import KernelLab

@Suite struct MistakeTests {
    private static let folder = FilePath(#filePath).removingLastComponent().removingLastComponent()
        .removingLastComponent().appending("Mistakes")

    @Test func theTenOfTheReviewAreThere() throws {
        let mistakes = try Mistake.all(in: Self.folder)
        #expect(Set(mistakes.compactMap(\.review)) == Set(1...10))
        #expect(Set(mistakes.map(\.name)).count == mistakes.count)
    }

    private func mistake(_ text: String) async throws -> Mistake {
        try await withTemporaryFolder { folder in
            try folder.appending("m.patch").write(text)
            return try Mistake(path: folder.appending("m.patch"))
        }
    }

    private static let headers = "Mistake: do it wrong\nReview: 3\nRules: F1 L3\nFails: a-* b.anon\nExcept: a-x\n"
    private static let diff = "\nWhy.\n\ndiff --git a/x b/x\n"

    @Test func readsItsHeaders() async throws {
        let mistake = try await mistake(Self.headers + Self.diff)
        #expect(mistake.name == "m" && mistake.title == "do it wrong" && mistake.review == 3)
        #expect(mistake.rules == ["F1", "L3"] && mistake.fails == ["a-*", "b.anon"] && mistake.spares == ["a-x"])
    }

    @Test(arguments: [
        (headers.replacing("Rules", with: "Ruels") + diff, "Ruels"),
        (headers.replacing("Fails: a-* b.anon\n", with: "") + diff, "Fails:"),
        (headers, "diff"),
    ])
    func saysWhatIsWrongWithAFile(text: String, named: String) async throws {
        let error = await #expect(throws: MistakeError.self) { try await mistake(text) }
        #expect(error?.description.contains(named) == true)
    }

    // MARK: Verdicts

    private func verdict(
        _ results: [(String, Verdict)],
        fails: [String] = ["a-*"],
        every: [String] = [],
        spares: [String] = [],
        running: String? = nil
    ) throws -> MistakeVerdict {
        var mistake = Mistake(name: "m", patch: "m.patch", title: "", fails: fails)
        mistake.failsEvery = every
        mistake.spares = spares
        let suite = SuiteResult(
            scenarios: results.enumerated().map { ScenarioResult(number: $0 + 1, name: $1.0, verdict: $1.1) },
            running: running,
            isComplete: running == nil
        )
        let end = running == nil ? MachineEnd.finished : .panicked(reason: "Oops", running: running)
        return MistakeVerdict(of: suite, end: end, for: mistake)
    }

    @Test func oneFailureOfEachPatternIsEnough() throws {
        #expect(
            try verdict([("a-x.anon", .passed), ("a-y.anon", .failed), ("b.anon", .passed)])
                == .noticed(failed: 1, ran: 2, example: "a-y.anon")
        )
        #expect(
            try verdict([("a-y.anon", .failed), ("b.anon", .passed)], fails: ["a-*", "b"])
                == .unnoticed(passed: ["b"])
        )
    }

    @Test func passesAndSkipsDoNotNotice() throws {
        #expect(try verdict([("a-x.anon", .passed)]) == .unnoticed(passed: ["a-*"]))
        #expect(try verdict([("a-x.anon", .skipped), ("b", .failed)]) == .notRun(pattern: "a-*"))
        #expect(!MistakeVerdict.notRun(pattern: "a-*").isGood)
    }

    @Test func everyResultMustFailWhereTheMistakeSaysSo() throws {
        let results: [(String, Verdict)] = [("a-x.anon", .failed), ("a-y.shmem", .passed), ("a-z.anon", .skipped)]
        #expect(try verdict(results, fails: [], every: ["a-*"]) == .unnoticed(passed: ["a-y.shmem"]))
        #expect(try verdict(results, fails: [], every: ["a-*"], spares: ["a-y"]).isGood)
    }

    @Test func aKernelThatDiesInTheScenarioHasNoticed() throws {
        #expect(try verdict([], running: "a-x.anon") == .killed(during: "a-x.anon"))
        #expect(try !verdict([("a-x.anon", .passed)], running: "b.anon").isGood)
    }

    // MARK: Hunks

    @Test func aDiffFallsApartIntoHunksThatApply() throws {
        let diff = """
            diff --git a/mm/a.c b/mm/a.c
            index 1..2 100644
            --- a/mm/a.c
            +++ b/mm/a.c
            @@ -1,2 +1,3 @@ first
             one
            +--- a/not/a/header
             two
            @@ -10 +11 @@ int second(void)
            -x
            +@@ y
            diff --git a/mm/new.c b/mm/new.c
            new file mode 100644
            --- /dev/null
            +++ b/mm/new.c
            @@ -0,0 +1 @@
            +x

            """
        let hunks = DiffHunk.all(of: diff)
        #expect(hunks.map(\.name) == ["mm/a.c:1", "mm/a.c:11"])
        #expect(hunks.map(\.function) == ["first", "int second(void)"])
        let header = "diff --git a/mm/a.c b/mm/a.c\nindex 1..2 100644\n--- a/mm/a.c\n+++ b/mm/a.c\n"
        #expect(hunks[0].text == header + "@@ -1,2 +1,3 @@ first\n one\n+--- a/not/a/header\n two\n")
        #expect(hunks[1].text == header + "@@ -10 +11 @@ int second(void)\n-x\n+@@ y\n")
    }
}
