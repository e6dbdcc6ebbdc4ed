// SPDX-License-Identifier: GPL-2.0-only

import KernelLab
import Testing

@testable import rwp

@Suite struct LiveScreenTests {
    private let start = ContinuousClock.now

    private func screen(on terminal: FakeTerminal, unicode: Bool = true, console: Bool = false) -> LiveScreen {
        LiveScreen(
            output: terminal.output,
            ink: Ink(colour: true, unicode: unicode),
            title: "linux v7.2",
            showsConsole: console,
            started: start,
            size: { terminal.size }
        )
    }

    @Test func showsStepsTreeAndFailure() {
        let terminal = FakeTerminal(columns: 80, rows: 24)
        var screen = screen(on: terminal)
        screen.begin()
        screen.play(Scripts.oneFailure, from: start)
        #expect(
            terminal.screen == [
                "FAIL wp-sync.shmem",
                "     WPSync.swift:42: got 0x0, expected 0x4",
                "linux v7.2  3:23",
                " ✓ fetch     linux-source-7.2 7.2.13-1, cached  1.0 s",
                " ✓ compile   2,650 files expected, 2,650 files  3 min 19 s",
                " ⠋ scenarios all, once  0:03",
                "",
                " wp         1 passed 1 failed",
                "   wp-sync         ✓✗  shmem",
                " rwp-async  1 skipped",
                "   rwp-async-read  ○·  no RWP",
                "",
                " 3/4 ███████████████░░░░░ 1 passed 1 failed 1 skipped  rwp-async-read.shmem 0:…",
                "",
            ]
        )
    }

    @Test func showsABarWhileCompiling() throws {
        let terminal = FakeTerminal(columns: 80, rows: 24)
        var screen = screen(on: terminal, unicode: false)
        screen.play(Array(Scripts.oneFailure.prefix(5)), from: start)
        screen.tick(at: start + .seconds(30))
        let line = try #require(terminal.screen.first { $0.contains("compile") })
        #expect(line == " | compile   ######.................... 700/2,650 files  0:29, about 1:20 left")
    }

    @Test(arguments: [20, 40, 80, 200], [5, 10, 24])
    func neverWrapsNorScrollsTheLivePicture(columns: Int, rows: Int) {
        let terminal = FakeTerminal(columns: columns, rows: rows)
        var screen = screen(on: terminal)
        screen.begin()
        screen.play(manyResults, from: start)
        let before = terminal.history.count
        for tenth in 0..<50 { screen.tick(at: start + .milliseconds(60_000 + 100 * tenth)) }
        #expect(terminal.history.count == before)
        #expect(terminal.history.count <= rows)
        #expect(terminal.screen.allSatisfy { $0.count < columns })
        #expect(!terminal.wasClearedFromTop)
    }

    @Test func foldsFinishedSubjectsWhereTheTreeIsTooLong() {
        let terminal = FakeTerminal(columns: 80, rows: 14)
        var screen = screen(on: terminal)
        screen.play(manyResults, from: start)
        let lines = terminal.screen
        #expect(lines.contains(" missing    30 passed"))
        #expect(lines.contains { $0.hasPrefix("   wp-point0") })
        #expect(!lines.contains { $0.hasPrefix("   missing-point0") })
    }

    @Test func aNarrowerTerminalLeavesNoRestsBehind() {
        let terminal = FakeTerminal(columns: 100, rows: 24)
        var screen = screen(on: terminal)
        screen.play(Scripts.oneFailure, from: start)
        terminal.resize(columns: 40, rows: 24)
        screen.tick(at: start + .seconds(204))
        #expect(terminal.history.count { $0.contains("linux v7.2") } == 1)
        #expect(terminal.history.count { $0.contains("fetch") } == 1)
        #expect(terminal.screen.allSatisfy { $0.count <= 40 })
    }

    @Test func leavesTheLastPictureAndTheCursor() {
        let terminal = FakeTerminal(columns: 80, rows: 24)
        var screen = screen(on: terminal)
        screen.begin()
        #expect(terminal.isCursorHidden)
        screen.play(Scripts.oneFailure, from: start)
        screen.end(at: start + .seconds(204))
        #expect(!terminal.isCursorHidden)
        #expect(terminal.screen.contains(" wp         1 passed 1 failed"))
    }

    @Test func notesAndConsoleScrollUpAboveThePicture() {
        let terminal = FakeTerminal(columns: 80, rows: 24)
        var screen = screen(on: terminal, console: true)
        screen.play(
            [(0, .started(.boot, detail: "TCG")), (1, .note("no KVM here")), (2, .console("Linux\u{1B}[2J version"))],
            from: start
        )
        #expect(
            terminal.screen == [
                "note: no KVM here", "console: Linux [2J version", "linux v7.2  0:02", " ⠋ boot      TCG  0:02", "",
            ]
        )
    }

    @Test func noColourMeansNoColour() {
        let environment = ["NO_COLOR": "1", "TERM": "xterm", "LANG": "C.UTF-8"]
        #expect(!Ink.of(0, environment: environment).colour)
        #expect(Ink.of(0, environment: environment).unicode)
        #expect(!Ink.of(0, environment: ["LANG": "C"]).unicode)
        #expect(Ink.plain.red("x") == "x")
        #expect(Ink(colour: true, unicode: true).red("x") == "\u{1B}[31mx\u{1B}[0m")
    }

    /// 60 results in two subjects.
    private var manyResults: Script {
        var script: Script = [
            (0, .started(.scenarios, detail: "60 planned")), (0, .ktap(.version(1))), (0, .ktap(.plan(61))),
        ]
        for subject in ["missing", "wp"] {
            for point in 0..<5 {
                for kind in ["anon", "anon-thp", "shmem", "shmem-private", "hugetlb", "hugetlb-private"] {
                    let name = "\(subject)-point\(point).\(kind)"
                    script.append((1, .ktap(.running(name: name))))
                    script.append((1, .ktap(.result(number: 1, name: name, verdict: .passed, reason: nil))))
                }
            }
        }
        return script
    }
}
