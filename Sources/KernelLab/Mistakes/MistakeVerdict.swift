// SPDX-License-Identifier: GPL-2.0-only

/// What the scenarios made of a kernel with a mistake in it.
public enum MistakeVerdict: Sendable, Hashable, Codable {
    /// They noticed; `failed` of the `ran` results that matter failed, the first of them `example`.
    case noticed(failed: Int, ran: Int, example: String)
    /// The kernel did not survive the scenario.
    case killed(during: String)
    /// Results that should have failed passed.
    case unnoticed(passed: [String])
    /// A pattern of which every result was skipped, or which matches none.
    case notRun(pattern: String)
    /// The kernel with it does not compile, which is a way of being noticed.
    case doesNotCompile(reason: String)

    /// Whether the mistake could not have gone unseen.
    public var isGood: Bool {
        switch self {
        case .noticed, .killed, .doesNotCompile: true
        case .unnoticed, .notRun: false
        }
    }

    /// Judges the results of a run against what the mistake says.
    public init(of suite: SuiteResult, end: MachineEnd, for mistake: Mistake) {
        let ran = suite.scenarios.filter { $0.verdict != .skipped }
        if end != .finished, let died = suite.running,
            mistake.patterns.contains(where: { ResultPattern.matches(died, $0) })
        {
            self = .killed(during: died)
            return
        }
        var survivors: [String] = []
        var (failed, judged): (Set<String>, Set<String>) = ([], [])
        for pattern in mistake.patterns {
            let concerned = ran.filter { ResultPattern.matches($0.name, pattern) }
            guard !concerned.isEmpty else {
                self = .notRun(pattern: pattern)
                return
            }
            let failures = concerned.filter { $0.verdict == .failed }.map(\.name)
            failed.formUnion(failures)
            judged.formUnion(concerned.map(\.name))
            if mistake.failsEvery.contains(pattern) {
                survivors += concerned.filter { result in
                    result.verdict == .passed && !mistake.spares.contains { ResultPattern.matches(result.name, $0) }
                }.map(\.name)
            } else if failures.isEmpty {
                survivors.append(pattern)
            }
        }
        let example = ran.first { failed.contains($0.name) }?.name ?? ""
        self =
            survivors.isEmpty
            ? .noticed(failed: failed.count, ran: judged.count, example: example)
            : .unnoticed(passed: survivors)
    }
}
