// SPDX-License-Identifier: GPL-2.0-only

import KernelLab

/// Tells a run in plain lines, for pipes and CI logs: no escape sequences, no carriage returns.
///
/// A step that takes long says so now and then; a scenario's results on all memory kinds share one line, and a
/// failure gets its own at once.
struct PlainLines: EventReader {
    /// How often a step that goes on tells how far it is.
    static let interval: Duration = .seconds(15)

    private let output: Output
    private let showsConsole: Bool
    private var run = RunProgress()
    private var lastProgress: Instant
    private var failuresShown = 0
    /// The scenario whose results are being gathered.
    private var gathered = Gathered()

    init(output: Output, showsConsole: Bool, started: Instant) {
        self.output = output
        self.showsConsole = showsConsole
        lastProgress = started
    }

    mutating func begin() {}

    mutating func receive(_ event: LabEvent, at now: Instant) {
        run.receive(event, at: now)
        switch event {
        case .started(let step, let detail):
            flush()
            lastProgress = now
            say(step, detail)
        case .advanced:
            tick(at: now)
        case .finished(let step, let outcome):
            flush()
            let started = run.steps.first { $0.step == step }?.started ?? now
            let time = started < now ? " (\((now - started).spoken))" : ""
            say(step, (outcome.isEmpty ? "done" : outcome) + time)
        case .note(let text):
            output.line("note: " + text.printable)
        case .console(let line):
            if showsConsole { output.line("console: " + line.printable) }
        case .ktap(let event):
            receive(event)
        }
    }

    mutating func tick(at now: Instant) {
        guard now - lastProgress >= Self.interval else { return }
        lastProgress = now
        for step in run.steps where step.end == nil {
            say(step.step, progress(step, now - step.started))
        }
    }

    mutating func end(at now: Instant) {
        flush()
    }

    private mutating func receive(_ event: KTAPEvent) {
        switch event {
        case .result(_, let name, let verdict, let reason):
            gather(ScenarioName(name.printable), verdict, reason?.printable)
        case .bailOut(let reason):
            flush()
            output.line("the guest gave up: " + reason.printable)
        case .version, .plan, .running, .diagnostic, .unknown:
            break
        }
    }

    private mutating func gather(_ name: ScenarioName, _ verdict: Verdict, _ reason: String?) {
        if name.scenario != gathered.scenario { flush() }
        gathered.scenario = name.scenario
        gathered.tally.count(verdict)
        if verdict == .skipped, let reason, !gathered.reasons.contains(reason) { gathered.reasons.append(reason) }
        for failure in run.failures[failuresShown...] {
            FailureText.lines(failure, ink: .plain).forEach(output.line)
        }
        failuresShown = run.failures.count
    }

    private mutating func flush() {
        guard !gathered.scenario.isEmpty else { return }
        output.line(gathered.line)
        gathered = Gathered()
    }

    private func say(_ step: Step, _ text: String) {
        output.line(text.isEmpty ? step.rawValue : "\(step.rawValue): \(text.printable)")
    }

    private func progress(_ step: RunProgress.StepProgress, _ elapsed: Duration) -> String {
        if step.step == .scenarios, let planned = run.planned {
            let now = run.running.map { ", now \($0.name)" } ?? ""
            return "\(run.reported) of \(planned) results, \(elapsed.spoken)\(now)"
        }
        guard step.done > 0 else { return "still running, \(elapsed.spoken)" }
        guard let total = step.total, total > 0 else { return "\(step.done.grouped) \(step.unit), \(elapsed.spoken)" }
        let left = step.remaining(after: elapsed).map { ", about \($0.spoken) left" } ?? ""
        let percent = min(100, 100 * step.done / total)
        return "\(step.done.grouped) of \(total.grouped) \(step.unit) (\(percent) %), \(elapsed.spoken)\(left)"
    }
}

/// The results of one scenario on the kinds so far.
private struct Gathered {
    var scenario = ""
    var tally = ResultTree.Tally()
    var reasons: [String] = []

    /// "ok    wp-sync: 6 passed, 1 skipped (no huge pages)".
    var line: String {
        let verdict = tally.failed > 0 ? "FAIL" : tally.passed + tally.expected > 0 ? "ok" : "skip"
        var counts: [String] = []
        if tally.passed > 0 { counts.append("\(tally.passed) passed") }
        if tally.failed > 0 { counts.append("\(tally.failed) failed") }
        if tally.expected > 0 { counts.append("\(tally.expected) failed as expected") }
        if tally.skipped > 0 {
            counts.append("\(tally.skipped) skipped" + (reasons.isEmpty ? "" : " (\(reasons.joined(separator: "; ")))"))
        }
        return "\(verdict.padded(to: 4)) \(scenario): \(counts.joined(separator: ", "))"
    }
}
