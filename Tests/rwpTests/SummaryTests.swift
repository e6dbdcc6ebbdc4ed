// SPDX-License-Identifier: GPL-2.0-only

import Foundation
import KernelLab
import Testing

@testable import rwp

@Suite struct SummaryTests {
    private let again = RerunCommand(
        arguments: ["/home/u/uffd-rwp/.build/debug/rwp", "--series", "none", "wp-*"],
        patterns: ["wp-*"],
        workingDirectory: "/home/u/uffd-rwp"
    )

    private func round(_ scenarios: [ScenarioResult], end: MachineEnd = .finished, planned: Int? = nil) -> TestRound {
        let run = MachineRun(
            suite: SuiteResult(
                planned: planned ?? scenarios.count,
                scenarios: scenarios,
                isComplete: planned ?? scenarios.count == scenarios.count
            ),
            end: end,
            accelerator: .tcg,
            qemuVersion: "7.2.22",
            qemuCommand: [],
            kernelCommandLine: "",
            kernelRelease: "7.2.13-rwp",
            consoleLog: "console.log",
            ktapLog: "ktap.txt",
            lastConsoleLines: ["RIP: 0010", "\u{7}end"],
            notes: [],
            started: Date(timeIntervalSince1970: 0),
            bootTime: .milliseconds(1400),
            totalTime: .milliseconds(49_400)
        )
        let context = ResultsContext(base: "v7.2", series: nil, machine: "x86_64", command: [])
        return TestRound(results: Results(run: run, context: context), folder: "results/x")
    }

    private let passed = ScenarioResult(number: 1, name: "wp-fork.anon", verdict: .passed)
    private let skipped = ScenarioResult(number: 2, name: "rwp-fork.anon", verdict: .skipped, reason: "no RWP")
    private let failed = ScenarioResult(
        number: 3,
        name: "wp-fork.shmem",
        verdict: .failed,
        diagnostics: ["page 7"],
        failures: [.init(location: "WPFork.swift:7", message: "got 1, expected 2")]
    )

    @Test func countsAndNothingElseWhereAllPassed() {
        let rounds = [round([passed, skipped])]
        #expect(rounds.exitStatus == .passed)
        #expect(
            Summary(rounds: rounds, elapsed: .seconds(48), again: again).text(.plain) == """

                1 passed, 0 failed, 1 skipped, 48 s
                skipped  1: no RWP
                machine  7.2.13-rwp, TCG, boot 1.4 s, scenarios 48 s
                results  results/x

                """
        )
    }

    @Test func failuresTheirReasonsAndHowToRunThemAgain() {
        let rounds = [
            round([passed, failed]),
            round([passed], end: .panicked(reason: "Oops", running: "wp-swap.anon"), planned: 2),
        ]
        #expect(rounds.exitStatus == .machineDied)
        #expect(
            Summary(rounds: rounds, elapsed: nil, again: again).text(.plain) == """

                FAIL wp-fork.shmem
                     WPFork.swift:7: got 1, expected 2
                     page 7

                DIED the kernel panicked while wp-swap.anon was running: Oops
                     the console's last lines:
                       RIP: 0010
                        end

                2 passed, 1 failed, 0 skipped in 2 boots (not all of it ran)
                results  results/x
                results  results/x
                again    .build/debug/rwp test --series none wp-fork.shmem

                """
        )
    }

    @Test func aFailedScenarioIsStatusOne() {
        #expect([round([failed])].exitStatus == .scenarioFailed)
    }

    @Test func manyFailuresAreRunAgainByScenario() {
        let names = (0..<30).map { "wp-fork\($0 / 7).kind\($0)" } + ["wp-x.anon"]
        let kinds = ScenarioResult.memoryKinds.flatMap { kind in (0..<4).map { "wp-p\($0).\(kind)" } }
        #expect(again.line(for: kinds) == ".build/debug/rwp test --series none wp-p0 wp-p1 wp-p2 wp-p3")
        #expect(again.line(for: names) == nil)
        #expect(again.line(for: []) == nil)
    }

    @Test func wordsAreQuotedForTheShell() {
        let command = RerunCommand(
            arguments: ["rwp", "test", "--tree", "my linux", "--set", "LOCALVERSION=\"it's\""],
            patterns: [],
            workingDirectory: "/"
        )
        #expect(
            command.line(for: ["wp-x.anon"])
                == #"rwp test --tree 'my linux' --set 'LOCALVERSION="it'\''s"' wp-x.anon"#
        )
    }
}
