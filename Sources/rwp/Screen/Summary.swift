// SPDX-License-Identifier: GPL-2.0-only

import KernelLab

/// The last words of a run: the failures with their reasons, counts, where the results are, and what to run again.
struct Summary: Sendable {
    /// More failures than this are only counted: the results have them.
    static let limit = 20
    /// More reasons for skips than this are left to the reports.
    static let reasonLimit = 3
    /// More differences from the contract than these are left to the reports.
    static let differenceLimit = 12

    var rounds: [TestRound]
    /// How long all of it took; nil for results of an earlier run.
    var elapsed: Duration?
    var again: RerunCommand

    func text(_ ink: Ink) -> String {
        let failures = rounds.failures
        var lines = [""]
        for failure in failures.prefix(Self.limit) { lines += FailureText.lines(failure, ink: ink) }
        if failures.count > Self.limit { lines.append("and \(failures.count - Self.limit) more failures") }
        if !failures.isEmpty { lines.append("") }
        for round in rounds where !round.results.troubles.isEmpty { lines += troubleLines(round.results, ink: ink) }
        lines.append(counts(ink))
        if let suite = rounds.first?.results.suite {
            lines += reasonLines(.expected, "expected", of: suite, limit: Self.differenceLimit)
            lines += reasonLines(.skipped, "skipped ", of: suite, limit: Self.reasonLimit)
        }
        if let round = rounds.first, rounds.count == 1 { lines.append(machineLine(round.results)) }
        for round in rounds.prefix(Self.limit) { lines.append("results  \(round.folder)") }
        if let command = again.line(for: failures.map(\.name)) { lines.append("again    \(command)") }
        return lines.joined(separator: "\n") + "\n"
    }

    private func counts(_ ink: Ink) -> String {
        let tally = rounds.tally
        let passed = "\(tally.passed) passed"
        let failed = "\(tally.failed) failed"
        let parts = [
            tally.passed > 0 ? ink.bold(ink.green(passed)) : passed,
            tally.failed > 0 ? ink.bold(ink.red(failed)) : failed,
            tally.expected > 0 ? "\(tally.expected) failed as expected" : nil,
            "\(tally.skipped) skipped",
        ].compactMap { $0 }
        let isWhole = rounds.allSatisfy(\.results.suite.isComplete)
        return parts.joined(separator: ", ") + (rounds.count > 1 ? " in \(rounds.count) boots" : "")
            + (elapsed.map { ", \($0.spoken)" } ?? "") + (isWhole ? "" : ink.red(" (not all of it ran)"))
    }

    /// Why results have a verdict, which is the same in each boot: a line a reason, the most frequent ones.
    private func reasonLines(_ verdict: Verdict, _ word: String, of suite: SuiteResult, limit: Int) -> [String] {
        let reasons = suite.reasons(for: verdict)
        let rest = reasons.dropFirst(limit).reduce(0) { $0 + $1.count }
        return reasons.prefix(limit).map { "\(word) \($0.count): \($0.reason.printable)" }
            + (rest > 0 ? ["\(word) \(rest) for other reasons"] : [])
    }

    /// What it ran on: "7.2.13-rwp, TCG, boot 1.4 s, suite 48 s".
    private func machineLine(_ results: Results) -> String {
        var parts = [results.kernelRelease ?? "unknown kernel", results.accelerator.rawValue.uppercased()]
        if let boot = results.bootMilliseconds {
            parts.append("boot \(Duration.milliseconds(boot).spoken)")
            parts.append("scenarios \(Duration.milliseconds(results.totalMilliseconds - boot).spoken)")
        }
        return "machine  \(parts.joined(separator: ", "))"
    }

    private func troubleLines(_ results: Results, ink: Ink) -> [String] {
        var lines = results.troubles.map { ink.red("DIED ") + $0.printable }
        if results.end != .finished, !results.lastConsoleLines.isEmpty {
            lines.append("     the console's last lines:")
            lines += results.lastConsoleLines.map { "       " + $0.printable }
        }
        return lines + [""]
    }
}
