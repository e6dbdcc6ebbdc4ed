// SPDX-License-Identifier: GPL-2.0-only

/// The results of the same selftests on two kernels.
public struct KselftestComparison: Sendable, Hashable {
    /// A test whose verdicts differ.
    public struct Difference: Sendable, Hashable {
        /// The test.
        public var name: String
        /// What it came to on the reference kernel; nil where it was not there.
        public var reference: Verdict?
        /// What it came to on the kernel under test; nil where it was not there.
        public var tested: Verdict?
        /// Why, as the worse of the two says.
        public var reason: String?

        /// Whether the kernel under test is worse: it fails or skips what passed, fails what was skipped, or lacks it.
        public var isWorse: Bool { rank(tested) < rank(reference) || (reference == nil && tested == .failed) }

        private func rank(_ verdict: Verdict?) -> Int {
            switch verdict {
            case nil, .failed: 0
            case .skipped, .expected: 1
            case .passed: 2
            }
        }
    }

    /// How many tests are the same on both.
    public var same: Int
    /// The others: those of the kernel under test in their order, then those that only the reference has.
    public var differences: [Difference]

    /// Whether anything is worse than on the reference kernel.
    public var isWorse: Bool { differences.contains(where: \.isWorse) }

    /// Compares.
    public init(reference: SuiteResult, tested: SuiteResult) {
        let (before, after) = (NameIndex(reference), NameIndex(tested))
        var gone = NumberlessNames(reference.scenarios.filter { after.counterpart(of: $0) == nil })
        var found: [Difference] = []
        for now in tested.scenarios {
            let then = before.counterpart(of: now) ?? gone.take(like: now)
            guard then?.verdict != now.verdict else { continue }
            let reason = now.verdict == .passed ? then?.reason : now.reason
            found.append(Difference(name: now.name, reference: then?.verdict, tested: now.verdict, reason: reason))
        }
        same = tested.scenarios.count - found.count
        found += gone.rest.map {
            Difference(name: $0.name, reference: $0.verdict, tested: nil, reason: $0.reason)
        }
        differences = found
    }
}

/// Results whose names are on one kernel alone, found by what of the name is no number.
///
/// Some tests count in their names: `ok 111 transact_test Extra pages 24 (0.1%), extra thread faults 24.`
private struct NumberlessNames {
    /// Those that were not taken.
    private(set) var rest: [ScenarioResult]

    init(_ results: [ScenarioResult]) {
        rest = results
    }

    mutating func take(like result: ScenarioResult) -> ScenarioResult? {
        let name = Self.numberless(result.name)
        return rest.firstIndex { Self.numberless($0.name) == name }.map { rest.remove(at: $0) }
    }

    private static func numberless(_ name: String) -> String {
        name.replacing(#/[0-9]+/#, with: "#")
    }
}

/// Finds in one suite what a result of the other is about.
///
/// Some tests print the reason to skip as if it were part of the name: `ok 7 # SKIP events on anon (feature missing)` is the
/// `ok 7 events on anon` of another kernel.
private struct NameIndex {
    private var byName: [String: ScenarioResult] = [:]
    private var skippedByName: [String: ScenarioResult] = [:]

    init(_ suite: SuiteResult) {
        for result in suite.scenarios {
            byName[result.name] = result
            if let name = Self.nameWithoutReason(result) { skippedByName[name] = result }
        }
    }

    func counterpart(of result: ScenarioResult) -> ScenarioResult? {
        byName[result.name] ?? skippedByName[result.name]
            ?? Self.nameWithoutReason(result).flatMap {
                byName[$0] ?? skippedByName[$0]
            }
    }

    private static func nameWithoutReason(_ result: ScenarioResult) -> String? {
        guard result.verdict == .skipped, let match = result.name.wholeMatch(of: #/(.+) \([^()]+\)/#) else {
            return nil
        }
        return String(match.1)
    }
}
