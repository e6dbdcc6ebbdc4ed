// SPDX-License-Identifier: GPL-2.0-only

import Testing

@testable import KernelLab

@Suite("Results of selftests")
struct KselftestResultsTests {
    /// The suite that a guest reports whose only program printed `lines` and ended so.
    private func suite(_ lines: [String], _ end: String) -> SuiteResult {
        var collector = SuiteCollector()
        let stream = ["KTAP version 1", "1..2", "# running mm:x"] + lines.map { "#   " + $0 } + [end]
        for line in stream { _ = collector.receive(Array("\(line)\n".utf8)) }
        if !end.isEmpty, !end.hasPrefix("#") { _ = collector.receive(Array("ok 2 kernel-log-end\n".utf8)) }
        return collector.finish().expandingKselftests(["mm:x"])
    }

    private func last(_ lines: [String], _ end: String) throws -> ScenarioResult {
        try #require(suite(lines, end).scenarios.last { $0.name == "mm:x" })
    }

    @Test("Each test is a result before its program's, and the plan counts them")
    func expansion() {
        let suite = suite(["1..2", "ok 1 a", "ok 2 b"], "ok 1 mm:x")
        #expect(suite.scenarios.map(\.name) == ["mm:x/a", "mm:x/b", "mm:x", "kernel-log-end"])
        #expect(suite.scenarios.map(\.number) == [1, 2, 3, 4])
        #expect(suite.planned == 4 && suite.isComplete && suite.protocolErrors == [])
        #expect(suite.scenarios.allSatisfy { $0.verdict == .passed })
        #expect(suite.scenarios.map(\.subject) == ["mm:x", "mm:x", "mm:x", "kernel"])
    }

    @Test("A program fails for what its tests say, whatever its exit status")
    func tests() throws {
        let failed = try last(["1..2", "ok 1 a", "not ok 2 b"], "ok 1 mm:x")
        #expect(failed.verdict == .failed && failed.reason == "1 of 2 tests failed")
        let short = try last(["1..3", "ok 1 a"], "ok 1 mm:x")
        #expect(short.verdict == .failed && short.reason == "1 of 3 planned tests ran")
        #expect(try last([], "ok 1 mm:x").verdict == .passed)
    }

    @Test("A program fails for what the guest saw, whatever its tests say")
    func guest() throws {
        let crashed = try last(["1..2", "ok 1 a"], "# FAIL process: SIGSEGV ended it\nnot ok 1 mm:x")
        #expect(crashed.reason == "1 of 2 planned tests ran; process: SIGSEGV ended it")
        let gaveUp = try last(["Bail out! no memory"], "# FAIL mm:x: exit status 1\nnot ok 1 mm:x")
        #expect(gaveUp.reason == "it gave up: no memory; mm:x: exit status 1")
    }

    @Test("A program that skips says why")
    func skip() throws {
        let skipped = try last(["1..0 # SKIP soft-dirty is not support"], "ok 1 mm:x # SKIP exit status 4")
        #expect(skipped.verdict == .skipped && skipped.reason == "soft-dirty is not support")
        #expect(try last([], "ok 1 mm:x # SKIP exit status 4").reason == "exit status 4")
    }

    @Test("Of a program that the machine did not survive, the tests that came count")
    func died() {
        let suite = suite(["1..2", "ok 1 a"], "#   more")
        #expect(suite.scenarios.map(\.name) == ["mm:x/a"])
        #expect(suite.running == "mm:x" && !suite.isComplete)
    }

    @Test("What is worse than on another kernel, and what only differs")
    func comparison() {
        func suite(_ verdicts: [(String, Verdict)]) -> SuiteResult {
            SuiteResult(scenarios: verdicts.map { ScenarioResult(number: 1, name: $0.0, verdict: $0.1) })
        }
        let stock = suite([
            ("same", .failed), ("broke", .passed), ("fell", .passed), ("woke", .skipped), ("mended", .failed),
            ("went", .passed),
            ("sank", .skipped),
        ])
        let tested = suite([
            ("same", .failed), ("broke", .failed), ("fell", .skipped), ("woke", .passed), ("mended", .passed),
            ("sank", .failed), ("new", .passed), ("newly broken", .failed),
        ])
        let comparison = KselftestComparison(reference: stock, tested: tested)
        #expect(comparison.same == 1 && comparison.isWorse)
        let worse = comparison.differences.filter(\.isWorse).map(\.name)
        #expect(worse == ["broke", "fell", "sank", "newly broken", "went"])
        #expect(comparison.differences.filter { !$0.isWorse }.map(\.name) == ["woke", "mended", "new"])
        #expect(!KselftestComparison(reference: stock, tested: stock).isWorse)
    }

    @Test("A reason to skip that stands in the name is none of the name")
    func reasonsInNames() {
        func suite(_ name: String, _ verdict: Verdict) -> SuiteResult {
            SuiteResult(scenarios: [ScenarioResult(number: 1, name: name, verdict: verdict)])
        }
        let (skipped, passed) = (suite("a on b (no pages)", .skipped), suite("a on b", .passed))
        let worse = KselftestComparison(reference: passed, tested: skipped).differences
        #expect(worse.count == 1 && worse[0].isWorse && worse[0].reference == .passed)
        let better = KselftestComparison(reference: skipped, tested: passed).differences
        #expect(better.count == 1 && !better[0].isWorse && better[0].reference == .skipped)
        let other = KselftestComparison(reference: suite("a on b (no feature)", .skipped), tested: skipped)
        #expect(other.same == 1 && other.differences.isEmpty)
        // A passed test's parentheses belong to its name.
        #expect(
            KselftestComparison(reference: suite("x (16 kB)", .passed), tested: suite("x", .passed)).differences.count
                == 2
        )
    }

    @Test("Numbers in a name that is on one kernel alone do not count")
    func numbersInNames() {
        func suite(_ names: String..., last: Verdict = .passed) -> SuiteResult {
            let results = names.map { ScenarioResult(number: 1, name: $0, verdict: $0 == names.last ? last : .passed) }
            return SuiteResult(scenarios: results)
        }
        let stock = suite("a (16 kB)", "a (32 kB)", "extra pages 24 (0.1%)")
        let same = KselftestComparison(
            reference: stock,
            tested: suite("a (16 kB)", "a (32 kB)", "extra pages 2 (0.0%)")
        )
        #expect(same.same == 3 && same.differences.isEmpty)
        let failed = suite("a (16 kB)", "a (32 kB)", "extra pages 2 (0.0%)", last: .failed)
        #expect(KselftestComparison(reference: stock, tested: failed).differences.map(\.reference) == [.passed])
        // A size that is gone is gone: the other is there on both.
        let gone = KselftestComparison(reference: stock, tested: suite("a (32 kB)", "extra pages 24 (0.1%)"))
        #expect(gone.differences.map(\.name) == ["a (16 kB)"] && gone.isWorse)
    }
}
