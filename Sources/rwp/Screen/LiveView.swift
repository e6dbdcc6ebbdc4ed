// SPDX-License-Identifier: GPL-2.0-only

import KernelLab

/// The picture of a run on a terminal: the steps, the tree of results, and what happens now.
///
/// A picture never has more lines than fit. Where the tree is too long, subjects that are done shrink to one line,
/// and then the oldest go.
struct LiveView: Sendable {
    typealias Instant = ContinuousClock.Instant

    var ink: Ink
    /// What is run, for the first line.
    var title: String
    var started: Instant

    /// The lines for a terminal of this size.
    func lines(_ run: RunProgress, size: TerminalSize, now: Instant) -> [String] {
        let room = max(size.rows - 1, 3)
        let head = [[Span(title, { $0.bold($1) }), Span("  " + (now - started).clock, { $0.dim($1) })]]
        let steps = run.steps.map { stepLine($0, columns: size.columns, now: now) }
        let foot = footLines(run, columns: size.columns, now: now)
        let treeRoom = room - head.count - steps.count - foot.count - 2
        var blocks = [head + steps]
        if !run.results.subjects.isEmpty { blocks.append(treeLines(run, columns: size.columns, room: treeRoom)) }
        if !foot.isEmpty { blocks.append(foot) }
        let spaced = Array(blocks.filter { !$0.isEmpty }.joined(separator: [[]]))
        let kept = spaced.count > room ? Array(spaced.suffix(room)) : spaced
        return kept.map { $0.rendered(ink, columns: size.columns - 1) }
    }

    // MARK: Steps

    private func stepLine(_ step: RunProgress.StepProgress, columns: Int, now: Instant) -> [Span] {
        let name = step.step.rawValue.padded(to: 10)
        if let end = step.end {
            let time = (end.at - step.started).spoken
            let what = [step.detail, end.outcome].filter { !$0.isEmpty }.joined(separator: ", ")
            return [
                Span(" \(ink.passed) ", { $0.green($1) }), Span(name),
                Span(what.cut(to: max(columns - 16 - time.count, 8), ellipsis: ink.ellipsis) + "  "),
                Span(time, { $0.dim($1) }),
            ]
        }
        let elapsed = now - step.started
        let head = [Span(" \(spinner(now)) ", { $0.cyan($1) }), Span(name, { $0.bold($1) })]
        guard let total = step.total, total > 0 else {
            let count = step.done > 0 ? "\(step.done.grouped) \(step.unit)  " : ""
            return head + [Span(count + step.detail + "  "), Span(elapsed.clock, { $0.dim($1) })]
        }
        let numbers = " \(min(step.done, total).grouped)/\(total.grouped) \(step.unit)"
        let times = "  \(elapsed.clock)" + (step.remaining(after: elapsed).map { ", about \($0.clock) left" } ?? "")
        let width = min(30, columns - 15 - numbers.count - times.count)
        return head + (width >= 5 ? bar(step.done, of: total, width: width) : [])
            + [Span(numbers), Span(times, { $0.dim($1) })]
    }

    private func bar(_ done: Int, of total: Int, width: Int) -> [Span] {
        let filled = min(width, width * max(done, 0) / total)
        return [
            Span(String(repeating: ink.full, count: filled), { $0.green($1) }),
            Span(String(repeating: ink.empty, count: width - filled), { $0.dim($1) }),
        ]
    }

    private func spinner(_ now: Instant) -> String {
        let tenths = Int((now - started) / .milliseconds(100))
        return ink.spinner[tenths % ink.spinner.count]
    }

    // MARK: Results

    private func treeLines(_ run: RunProgress, columns: Int, room: Int) -> [[Span]] {
        let subjects = run.results.subjects
        let current = run.running.map { ScenarioName($0.name).subject } ?? subjects.last?.name
        let names = subjects.flatMap { $0.scenarios.map(\.name.scenario.count) }.max() ?? 0
        let full = subjects.flatMap { subjectBlock($0, run, nameWidth: names, columns: columns) }
        if full.count <= room { return full }
        let folded = subjects.flatMap { subject in
            subject.name == current
                ? subjectBlock(subject, run, nameWidth: names, columns: columns) : [subjectLine(subject)]
        }
        return folded.suffix(max(room, 1))
    }

    private func subjectBlock(
        _ subject: ResultTree.Subject,
        _ run: RunProgress,
        nameWidth: Int,
        columns: Int
    ) -> [[Span]] {
        [subjectLine(subject)] + subject.scenarios.map { scenarioLine($0, run, nameWidth: nameWidth) }
    }

    private func subjectLine(_ subject: ResultTree.Subject) -> [Span] {
        [Span(" " + subject.name.padded(to: 10), { $0.bold($1) })] + tallySpans(subject.tally)
    }

    private func scenarioLine(_ scenario: ResultTree.Scenario, _ run: RunProgress, nameWidth: Int) -> [Span] {
        var line = [Span("   " + scenario.name.scenario.padded(to: nameWidth) + "  ")]
        line += scenario.kinds.map { mark($0.verdict) }
        if let name = run.running?.name, ScenarioName(name).scenario == scenario.name.scenario {
            line.append(Span(ink.waiting, { $0.cyan($1) }))
        }
        let failed = scenario.kinds.filter { $0.verdict == .failed }.compactMap(\.kind)
        if !failed.isEmpty {
            line.append(Span("  " + failed.joined(separator: ", "), { $0.red($1) }))
        } else if let reason = scenario.skipReason, scenario.tally.skipped > 0 {
            line.append(Span("  " + reason, { $0.dim($1) }))
        }
        return line
    }

    private func mark(_ verdict: Verdict) -> Span {
        switch verdict {
        case .passed: Span(ink.passed, { $0.green($1) })
        case .failed: Span(ink.failed, { $0.red($1) })
        case .skipped: Span(ink.skipped, { $0.yellow($1) })
        case .expected: Span(ink.failed, { $0.dim($1) })
        }
    }

    private func tallySpans(_ tally: ResultTree.Tally) -> [Span] {
        var spans: [Span] = []
        if tally.passed > 0 { spans.append(Span(" \(tally.passed) passed", { $0.green($1) })) }
        if tally.failed > 0 { spans.append(Span(" \(tally.failed) failed", { $0.red($1) })) }
        if tally.expected > 0 { spans.append(Span(" \(tally.expected) failed as expected", { $0.dim($1) })) }
        if tally.skipped > 0 { spans.append(Span(" \(tally.skipped) skipped", { $0.yellow($1) })) }
        return spans
    }

    private func footLines(_ run: RunProgress, columns: Int, now: Instant) -> [[Span]] {
        guard let planned = run.planned else { return [] }
        var line = [Span(" \(run.reported.grouped)/\(planned.grouped) ")]
        line += bar(run.reported, of: max(planned, 1), width: max(min(20, columns / 4), 5))
        line += tallySpans(run.results.tally)
        if let running = run.running {
            line.append(Span("  \(running.name) \((now - running.since).clock)", { $0.cyan($1) }))
        }
        return [line]
    }
}

extension RunProgress.StepProgress {
    /// How long the rest takes at the pace so far; nil while that would be a guess.
    func remaining(after elapsed: Duration) -> Duration? {
        guard let total, done > 0, total > done, elapsed > .seconds(5) else { return nil }
        return elapsed * Double(total - done) / Double(done)
    }
}
