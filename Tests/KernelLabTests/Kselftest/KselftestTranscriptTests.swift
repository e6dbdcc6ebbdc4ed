// SPDX-License-Identifier: GPL-2.0-only

import Testing

@testable import KernelLab

@Suite("What selftests print")
struct KselftestTranscriptTests {
    private func read(_ text: String) -> SuiteResult {
        var transcript = KselftestTranscript(program: "mm:x")
        for line in text.split(separator: "\n") { _ = transcript.take(String(line)) }
        return transcript.finish()
    }

    private func names(_ text: String) -> [String] { read(text).scenarios.map(\.name) }

    @Test("A skipped test has its name and its reason wherever they are printed")
    func reasons() {
        let suite = read(
            "1..3\nok 1 one # SKIP no threads\nok 2 # SKIP two (feature missing)\nok 3 # XFAIL three (2048 kB)"
        )
        #expect(suite.scenarios.map(\.name) == ["mm:x/one", "mm:x/two (feature missing)", "mm:x/three (2048 kB)"])
        #expect(suite.scenarios.map(\.reason) == ["no threads", "two (feature missing)", "XFAIL: three (2048 kB)"])
        #expect(suite.scenarios.allSatisfy { $0.verdict == .skipped })
    }

    @Test("What was run is part of the name where the name does not say it")
    func running() {
        let text = """
            # [RUN] test_unmerge
            ok 1 Pages were unmerged
            # [RUN] test_unmerge_discarded
            ok 2 Pages were unmerged
            # [RUN] Basic COW ... with base page
            ok 3 Basic COW ... with base page
            # [RUN] vmsplice() ... with base page
            ok 4 # XFAIL vmsplice() ... with base page
            """
        #expect(
            names(text) == [
                "mm:x/test_unmerge: Pages were unmerged", "mm:x/test_unmerge_discarded: Pages were unmerged",
                "mm:x/Basic COW ... with base page", "mm:x/vmsplice() ... with base page",
            ]
        )
        #expect(read(text).scenarios.map(\.verdict) == [.passed, .passed, .passed, .skipped])
    }

    @Test("The same name twice gets a number, and no name at all the test's")
    func unique() {
        #expect(names("ok 1 same\nok 2 same\nok 3") == ["mm:x/same", "mm:x/same #2", "mm:x/test 3"])
    }

    @Test("Text around and between the results is kept, and breaks nothing")
    func text() {
        let suite = read(
            "usage: x\n# hello\n1..1\nnot ok 1 a\nBail out! 1 out of 1 tests failed\n# Totals: pass:0 fail:1"
        )
        #expect(suite.scenarios.map(\.verdict) == [.failed] && suite.planned == 1)
        #expect(suite.scenarios[0].diagnostics == ["usage: x", "hello"])
        #expect(suite.bailOut == "1 out of 1 tests failed")
    }

    @Test("The stream gets a result for each test as it comes, and a plan that grows")
    func stream() {
        let events = Received()
        let stream = KselftestStream(["mm:x"], to: events.sink).sink
        let lines = [
            "1..2", "# running mm:x", "#   1..2", "#   ok 1 a", "#   not ok 2 b", "# ok 3 not of the test",
            "not ok 1 mm:x", "# running kernel-log-end", "#   ok 1 not a test", "ok 2 kernel-log-end",
        ]
        for line in lines { stream.send(.ktap(KTAPEvent(line: line))) }
        let results = events.all.compactMap { event -> String? in
            if case .ktap(.result(_, let name, let verdict, _)) = event { "\(name) \(verdict)" } else { nil }
        }
        #expect(results == ["mm:x/a passed", "mm:x/b failed", "mm:x failed", "kernel-log-end passed"])
        let plans = events.all.compactMap { event -> Int? in
            if case .ktap(.plan(let count)) = event { count } else { nil }
        }
        #expect(plans == [2, 4])
    }
}
