// SPDX-License-Identifier: GPL-2.0-only

import Userfaultfd

/// A scenario on one kind of memory, or one that has no kinds: what one KTAP result is about.
public struct Instance: Sendable {
    /// The scenario.
    public let scenario: Scenario
    /// The kind; nil where the scenario has none.
    public let kind: MemoryKind?
    /// What runs instead of the scenario's function; nil where that runs.
    public let program: Program?

    /// Makes an instance.
    public init(_ scenario: Scenario, _ kind: MemoryKind?) {
        self.scenario = scenario
        self.kind = kind
        program = nil
    }

    /// Makes an instance that runs a program.
    public init(_ program: Program) {
        scenario = Scenario("program", "a program", traps: false, seconds: program.seconds) { (_) throws(Failure) in }
        kind = nil
        self.program = program
    }

    /// "wp-fork.anon-thp", or "api-handshake" without a kind, or the program's name.
    public var name: String {
        if let program { return program.name }
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
    /// Scenarios of the harness are taken only by patterns that begin with "harness-", unless `includesHarness`. A pattern
    /// that matches nothing is a failure that tells the nearest name. For stress scenarios, `includesStress` and "stress-"
    /// do the same; benchmarks are taken by "bench-" alone.
    public init(
        of catalog: [Scenario],
        patterns: [String] = [],
        skips: [String] = [],
        includesHarness: Bool = false,
        includesStress: Bool = false
    ) throws(Failure) {
        let all = Selection.expand(catalog)
        // What is not for every run stays out of patterns for everything, "*.anon" and its like, too.
        let hidden =
            (includesHarness ? [] : [Scenario.harnessPrefix])
            + (includesStress ? [] : [Scenario.stressPrefix])
            + [Scenario.benchPrefix]
        let selectors = patterns.map { Selector($0, hidden) }
        let excluders = skips.map { Selector($0, hidden) }
        let everything = Selector("*", hidden)
        for selector in selectors + excluders where !all.contains(where: { selector.takes($0) }) {
            throw Selection.unknown(selector.glob.pattern, all)
        }
        let wanted = all.filter { instance in
            selectors.isEmpty ? everything.takes(instance) : selectors.contains { $0.takes(instance) }
        }
        instances = wanted.filter { instance in !excluders.contains { $0.takes(instance) } }
        if instances.isEmpty { throw Failure("nothing to run: --skip leaves no scenario") }
    }

    /// Takes programs, in their order.
    public init(_ programs: [Program]) {
        instances = programs.map { Instance($0) }
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

/// A pattern, and the beginnings of names that it does not take, since it does not begin with them itself.
private struct Selector {
    let glob: Glob
    private let hidden: [String]

    init(_ pattern: String, _ hidden: [String]) {
        glob = Glob(pattern)
        self.hidden = hidden.filter { !pattern.begins(with: $0) }
    }

    func takes(_ instance: Instance) -> Bool {
        let name = instance.scenario.name.text
        if hidden.contains(where: { name.begins(with: $0) }) { return false }
        return glob.matches(name) || glob.matches(instance.name)
    }
}
