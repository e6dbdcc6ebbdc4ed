// SPDX-License-Identifier: GPL-2.0-only

import Foundation
import KernelLab
import SystemPackage

/// Tries mistakes one after the other: each goes into the kernel, which is built and booted, and the scenarios must notice.
struct MistakeTrial: Sendable {
    /// What came of one.
    struct Outcome: Sendable {
        var mistake: Mistake
        var verdict: MistakeVerdict
        /// The folder of the results; nil where nothing ran.
        var results: FilePath?
    }

    var lab: Lab
    var machine: MachineDescription
    var plan: TestPipeline.Plan
    /// The scenarios for a mistake whose patterns are any.
    var scenarios: [String]
    /// Patterns that run beside those that must fail: a kernel of which nothing works proves nothing.
    var controls: [String]

    /// Tries all of them.
    func run(_ mistakes: [Mistake], in tree: MistakenTree) async throws -> [Outcome] {
        let program = try await lab.guestProgram()
        let patterns = Set(mistakes.flatMap(\.patterns)).filter { $0 != "*" } + controls + scenarios
        for pattern in patterns.sorted() { _ = try await ScenarioCatalog.of(program, patterns: [pattern]) }
        var outcomes: [Outcome] = []
        for (index, mistake) in mistakes.enumerated() {
            lab.events.send(.started(.check, detail: mistake.name))
            lab.events.send(.advanced(.check, done: index, total: mistakes.count, unit: "mistakes"))
            let outcome = try await outcome(of: mistake, in: tree, program)
            outcomes.append(outcome)
            lab.events.send(.note("\(mistake.name): \(outcome.verdict.words)"))
        }
        lab.events.send(.finished(.check, detail: "\(mistakes.count) tried"))
        return outcomes
    }

    private func outcome(of mistake: Mistake, in tree: MistakenTree, _ program: FilePath) async throws -> Outcome {
        let image: KernelImage
        do {
            image = try await tree.kernel(with: mistake)
        } catch KernelBuildError.make(_, _, let errors, _) {
            return Outcome(mistake: mistake, verdict: .doesNotCompile(reason: errors.first ?? "make failed"))
        }
        // Scenarios that fail are the good news here, so nobody is told of each.
        var quiet = lab
        quiet.events = EventSink { [events = lab.events] event in
            switch event {
            case .ktap, .console: break
            default: events.send(event)
            }
        }
        var plan = plan
        plan.patterns = (mistake.patterns.contains("*") ? scenarios : mistake.patterns) + controls
        let round = try await Boot(
            lab: quiet,
            plan: plan,
            machine: machine,
            image: image,
            initramfs: try await quiet.initramfs(program, for: image, on: machine).path,
            context: ResultsContext(
                base: plan.kernel.base,
                series: [plan.kernel.series, mistake.name].compactMap(\.self).joined(separator: ", "),
                machine: plan.machine,
                command: plan.command
            )
        ).run()
        return Outcome(
            mistake: mistake,
            verdict: MistakeVerdict(of: round.results.suite, end: round.results.end, for: mistake),
            results: round.folder
        )
    }
}

extension MistakeVerdict {
    /// For people.
    var words: String {
        switch self {
        case .noticed(let failed, let ran, let example): "noticed, \(failed) of \(ran) failed (\(example))"
        case .killed(let scenario): "noticed, the kernel died during \(scenario)"
        case .unnoticed(let passed):
            "UNNOTICED: " + passed.prefix(5).joined(separator: " ")
                + (passed.count > 5 ? " and \(passed.count - 5) more" : "")
        case .notRun(let pattern): "UNNOTICED: nothing of \(pattern) ran"
        case .doesNotCompile(let reason): "does not compile: \(reason)"
        }
    }
}
