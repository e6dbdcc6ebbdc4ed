// SPDX-License-Identifier: GPL-2.0-only

import KernelLab
import Testing

@testable import rwp

@Suite struct PlainLinesTests {
    private func lines(_ script: Script, console: Bool = false) -> [String] {
        let start = ContinuousClock.now
        let transcript = Transcript()
        var reader = PlainLines(output: transcript.output, showsConsole: console, started: start)
        reader.begin()
        reader.play(script, from: start)
        reader.end(at: start)
        return transcript.lines
    }

    @Test func tellsARun() {
        #expect(
            lines(Scripts.oneFailure) == [
                "fetch: linux-source-7.2 7.2.13-1",
                "fetch: cached (1.0 s)",
                "compile: 2,650 files expected",
                "compile: 700 of 2,650 files (26 %), 29 s, about 1 min 21 s left",
                "compile: 2,650 files (3 min 19 s)",
                "scenarios: all, once",
                "FAIL wp-sync.shmem",
                "     WPSync.swift:42: got 0x0, expected 0x4",
                "FAIL wp-sync: 1 passed, 1 failed",
                "skip rwp-async-read: 1 skipped (no RWP)",
            ]
        )
    }

    @Test func hasNoControlCharacters() {
        let text = lines([
            (0, .note("a\u{1B}[2Jb\rc")),
            (0, .ktap(.result(number: 1, name: "x\u{7}y", verdict: .passed, reason: nil))),
        ])
        #expect(text == ["note: a [2Jb c", "ok   x y: 1 passed"])
    }

    @Test func showsTheConsoleOnlyWhenAsked() {
        let script: Script = [(0, .console("[    0.0] Linux version 7.2"))]
        #expect(lines(script) == [])
        #expect(lines(script, console: true) == ["console: [    0.0] Linux version 7.2"])
    }

    @Test func longFailuresAreCut() {
        let many = (1...20).map { (0.0, LabEvent.ktap(.diagnostic("line \($0)"))) }
        let result = LabEvent.ktap(.result(number: 1, name: "wp-x.anon", verdict: .failed, reason: nil))
        let text = lines(many + [(0, result)])
        #expect(text.count == 1 + FailureText.limit + 1 + 1)
        #expect(text[FailureText.limit + 1] == "     (12 more lines in the results)")
    }

    @Test func tellsOfTheScenarioThatTakesLong() {
        let script: Script = [
            (0, .started(.scenarios, detail: "8 planned")), (0, .ktap(.version(1))), (0, .ktap(.plan(8))),
            (1, .ktap(.running(name: "wp-fork.anon"))),
            (20, .advanced(.scenarios, done: 0, total: 8, unit: "scenarios")),
        ]
        #expect(lines(script).last == "scenarios: 0 of 8 results, 20 s, now wp-fork.anon")
    }
}
