// SPDX-License-Identifier: GPL-2.0-only

import Userfaultfd

/// A scenario on one kind of memory, or one that has no kinds: what one KTAP result is about.
public struct Instance: Sendable {
    /// The scenario.
    public let scenario: Scenario
    /// The kind; nil where the scenario has none.
    public let kind: MemoryKind?

    /// Makes an instance.
    public init(_ scenario: Scenario, _ kind: MemoryKind?) {
        self.scenario = scenario
        self.kind = kind
    }

    /// "wp-fork.anon-thp", or "api-handshake" without a kind.
    public var name: String {
        guard let kind else { return scenario.name.text }
        return "\(scenario.name).\(kind.name)"
    }
}

/// Which instances of a catalog run, in which order.
public struct Selection: Sendable {
    /// What runs, in the catalog's order.
    public let instances: [Instance]

    /// Takes every instance that one of `patterns` matches (all of `catalog` where there are none) and none of `skips`.
    ///
    /// A pattern is a `Glob` of a scenario's name ("wp-fork" is all of its kinds) or an instance's ("*.hugetlb").
    /// `hidden` scenarios run only by patterns that begin with their common prefix, "harness-". A pattern that
    /// matches nothing is a failure that tells the nearest name.
    public init(
        of catalog: [Scenario],
        hidden: [Scenario] = [],
        patterns: [String],
        skips: [String] = []
    ) throws(Failure) {
        let common = Selection.expand(catalog)
        let all = common + Selection.expand(hidden)
        for pattern in patterns + skips {
            if !all.contains(where: { Selection.matches($0, pattern, hidden: hidden) }) {
                throw Selection.unknown(pattern, all)
            }
        }
        let wanted = patterns.isEmpty ? common : all.filter { Selection.matches($0, anyOf: patterns, hidden: hidden) }
        instances = wanted.filter { !Selection.matches($0, anyOf: skips, hidden: hidden) }
        if instances.isEmpty { throw Failure("nothing to run: --skip leaves no scenario") }
    }

    /// Every instance of some scenarios, in order.
    public static func expand(_ scenarios: [Scenario]) -> [Instance] {
        var instances: [Instance] = []
        for scenario in scenarios {
            if scenario.kinds.isEmpty { instances.append(Instance(scenario, nil)) }
            for kind in scenario.kinds { instances.append(Instance(scenario, kind)) }
        }
        return instances
    }

    private static func matches(_ instance: Instance, anyOf patterns: [String], hidden: [Scenario]) -> Bool {
        patterns.contains { matches(instance, $0, hidden: hidden) }
    }

    private static func matches(_ instance: Instance, _ pattern: String, hidden: [Scenario]) -> Bool {
        let isHidden = hidden.contains { $0.name.text.isSame(as: instance.scenario.name.text) }
        if isHidden && !pattern.begins(with: "harness-") { return false }
        let glob = Glob(pattern)
        return glob.matches(instance.scenario.name.text) || glob.matches(instance.name)
    }

    private static func unknown(_ pattern: String, _ instances: [Instance]) -> Failure {
        var names: [String] = []
        for instance in instances {
            let name = instance.scenario.name.text
            if names.last?.isSame(as: name) != true { names.append(name) }
        }
        names += instances.map { $0.name }
        guard let nearest = nearestName(to: pattern, among: names) else { return Failure("there are no scenarios") }
        return Failure("no scenario matches '\(pattern)'; the nearest name is '\(nearest)' (--list shows all)")
    }
}
