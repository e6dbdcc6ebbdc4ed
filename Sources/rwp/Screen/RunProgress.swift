// SPDX-License-Identifier: GPL-2.0-only

import KernelLab

/// What a screen knows about a run: the events so far, folded into one value.
struct RunProgress: Sendable {
    typealias Instant = ContinuousClock.Instant

    /// One step, from its start on.
    struct StepProgress: Sendable {
        var step: Step
        var detail: String
        var started: Instant
        var done = 0
        var total: Int?
        var unit = ""
        /// When it ended and what came of it; nil while it runs.
        var end: (at: Instant, outcome: String)?
    }

    /// Steps in the order in which they started; one that starts again (`--repeat`) takes its old place.
    private(set) var steps: [StepProgress] = []
    private(set) var results = ResultTree()
    /// What went wrong, in the order in which it did.
    private(set) var failures: [Failure] = []
    /// How many results the guest announced for this boot, and how many came.
    private(set) var planned: Int?
    private(set) var reported = 0
    /// The scenario that the guest is in, and since when.
    private(set) var running: (name: String, since: Instant)?
    private var diagnostics: [String] = []

    /// A scenario that failed and what it said.
    struct Failure: Sendable, Equatable {
        var name: String
        var reasons: [String]
    }

    /// Takes one event in.
    mutating func receive(_ event: LabEvent, at now: Instant) {
        switch event {
        case .started(let step, let detail):
            start(StepProgress(step: step, detail: detail.printable, started: now))
        case .advanced(let step, let done, let total, let unit):
            update(step) {
                $0.done = done
                $0.total = total
                $0.unit = unit
            }
        case .finished(let step, let outcome):
            // What is found in the cache finishes without having started.
            if !steps.contains(where: { $0.step == step }) { start(StepProgress(step: step, detail: "", started: now)) }
            update(step) { $0.end = (now, outcome.printable) }
        case .ktap(let event):
            receive(event, at: now)
        case .note, .console:
            break
        }
    }

    /// What a diagnostic tells a person; nil for those that tell a program.
    private static func reason(in diagnostic: String) -> String? {
        let facts = ["duration_ms: ", "traps: ", "rules: ", "Totals: "]
        if facts.contains(where: diagnostic.hasPrefix) { return nil }
        return String(diagnostic.trimmingPrefix("FAIL "))
    }

    private mutating func start(_ step: StepProgress) {
        if let index = steps.firstIndex(where: { $0.step == step.step }) {
            steps[index] = step
        } else {
            steps.append(step)
        }
    }

    private mutating func update(_ step: Step, _ change: (inout StepProgress) -> Void) {
        guard let index = steps.firstIndex(where: { $0.step == step }) else { return }
        change(&steps[index])
    }

    private mutating func receive(_ event: KTAPEvent, at now: Instant) {
        switch event {
        case .version:
            (planned, reported, running, diagnostics) = (nil, 0, nil, [])
        case .plan(let count):
            planned = count
        case .running(let name):
            running = (name.printable, now)
            diagnostics = []
        case .diagnostic(let text):
            if let reason = Self.reason(in: text.printable) { diagnostics.append(reason) }
        case .result(_, let name, let verdict, let reason):
            let name = name.printable
            let reasons = (reason.map { [$0.printable] } ?? []) + diagnostics
            reported += 1
            results.add(name, verdict, reason: reason?.printable)
            if verdict == .failed { failures.append(Failure(name: name, reasons: reasons)) }
            (running, diagnostics) = (nil, [])
        case .bailOut, .unknown:
            break
        }
    }
}

/// Results by subject and scenario, in the order in which they came.
struct ResultTree: Sendable {
    /// How many passed, failed, were skipped, and failed as expected.
    struct Tally: Sendable, Equatable {
        var passed = 0
        var failed = 0
        var skipped = 0
        var expected = 0

        mutating func count(_ verdict: Verdict) {
            switch verdict {
            case .passed: passed += 1
            case .failed: failed += 1
            case .skipped: skipped += 1
            case .expected: expected += 1
            }
        }
    }

    /// One scenario and the newest verdict on each memory kind; a failure stays, whatever a repetition says.
    struct Scenario: Sendable {
        var name: ScenarioName
        var kinds: [(kind: String?, verdict: Verdict)] = []
        var tally = Tally()
        /// Why it was skipped: the first reason that came.
        var skipReason: String?
    }

    /// The scenarios of one subject.
    struct Subject: Sendable {
        var name: String
        var scenarios: [Scenario] = []
        var tally = Tally()
    }

    private(set) var subjects: [Subject] = []
    private(set) var tally = Tally()

    /// Adds the result of `name`, which is "scenario.kind".
    mutating func add(_ name: String, _ verdict: Verdict, reason: String?) {
        let name = ScenarioName(name)
        tally.count(verdict)
        let subject =
            subjects.firstIndex { $0.name == name.subject }
            ?? {
                subjects.append(Subject(name: name.subject))
                return subjects.endIndex - 1
            }()
        subjects[subject].add(name, verdict, reason: reason)
    }
}

extension ResultTree.Subject {
    fileprivate mutating func add(_ name: ScenarioName, _ verdict: Verdict, reason: String?) {
        tally.count(verdict)
        let index =
            scenarios.firstIndex { $0.name.scenario == name.scenario }
            ?? {
                scenarios.append(ResultTree.Scenario(name: name))
                return scenarios.endIndex - 1
            }()
        scenarios[index].tally.count(verdict)
        if verdict == .skipped, scenarios[index].skipReason == nil { scenarios[index].skipReason = reason }
        if let kind = scenarios[index].kinds.firstIndex(where: { $0.kind == name.kind }) {
            if scenarios[index].kinds[kind].verdict != .failed { scenarios[index].kinds[kind].verdict = verdict }
        } else {
            scenarios[index].kinds.append((name.kind, verdict))
        }
    }
}
