// SPDX-License-Identifier: GPL-2.0-only

/// What one scenario (or kernel test) did.
public struct ScenarioResult: Sendable, Hashable, Codable {
    /// A check that did not hold: the guest's `# FAIL file:line: message`.
    public struct Failure: Sendable, Hashable, Codable {
        /// Where the check stands in the guest's source, "RWPAsync.swift:42".
        public var location: String
        /// What was expected and what was there.
        public var message: String

        /// Makes a value.
        public init(location: String, message: String) {
            self.location = location
            self.message = message
        }
    }

    /// The number on the result line, from 1.
    public var number: Int
    /// The whole name: "rwp-async-read.anon-thp".
    public var name: String
    /// The verdict.
    public var verdict: Verdict
    /// Why it was skipped or failed, in one line; nil where the guest gave none.
    public var reason: String?
    /// What the guest printed while the scenario ran, line by line.
    public var diagnostics: [String]
    /// How long it ran, in milliseconds of guest time; nil where the guest did not say.
    public var durationMilliseconds: Int?
    /// The contract's rules that it covers: `["F1", "L3"]`.
    public var rules: [String]
    /// Traps (userfaultfd messages, or pages reported accessed) that it saw; nil where the guest did not say.
    public var traps: Int?
    /// Every check that did not hold.
    public var failures: [Failure]
    /// What is known to be different on this kernel, so that it must fail; nil where it must pass.
    public var difference: KnownDifference?
    /// The subtests of a nested result, in order.
    public var subtests: [ScenarioResult]

    /// Makes a value.
    public init(
        number: Int,
        name: String,
        verdict: Verdict,
        reason: String? = nil,
        diagnostics: [String] = [],
        durationMilliseconds: Int? = nil,
        rules: [String] = [],
        traps: Int? = nil,
        failures: [Failure] = [],
        subtests: [ScenarioResult] = []
    ) {
        self.number = number
        self.name = name
        self.verdict = verdict
        self.reason = reason
        self.diagnostics = diagnostics
        self.durationMilliseconds = durationMilliseconds
        self.rules = rules
        self.traps = traps
        self.failures = failures
        self.subtests = subtests
    }

    /// The kinds of memory that a scenario runs on; a name ends with one, after a dot, or with none.
    public static let memoryKinds = [
        "anon", "anon-thp", "shmem", "shmem-private", "shmem-thp", "hugetlb", "hugetlb-private",
    ]

    /// Whether it is of a selftest of the kernel's: "mm:cow", or one of the tests in it, "mm:cow/vmsplice() + unmap".
    public var isKselftest: Bool { name.prefix { $0 != "/" && $0 != " " }.contains(":") }

    /// The kind of memory that the name ends with; nil for a scenario that runs once.
    public var memoryKind: String? {
        guard !isKselftest, let dot = name.lastIndex(of: ".") else { return nil }
        let suffix = String(name[name.index(after: dot)...])
        return Self.memoryKinds.contains(suffix) ? suffix : nil
    }

    /// The name without its memory kind: "rwp-async-read"; of a selftest the program, "mm:cow".
    public var point: String {
        if isKselftest { return String(name.prefix { $0 != "/" }) }
        return memoryKind.map { String(name.dropLast($0.count + 1)) } ?? name
    }

    /// The subject that the name begins with: "api", "wp", "rwp-async".
    public var subject: String {
        if isKselftest { return point }
        let words = point.split(separator: "-", omittingEmptySubsequences: false)
        let isFamily = words.first.map { Self.families.contains(String($0)) } ?? false
        return words.prefix(isFamily ? 2 : 1).joined(separator: "-")
    }

    /// First words that many subjects share, so that a subject is two words: "rwp-async", "uffd-ops", "soft-dirty".
    private static let families: Set = ["rwp", "uffd", "soft"]
}

/// What a suite did: everything that its KTAP stream said, in order, and what was wrong with the stream itself.
public struct SuiteResult: Sendable, Hashable, Codable {
    /// The number of scenarios that the plan announced; nil without a plan.
    public var planned: Int?
    /// The results, in the order of the stream.
    public var scenarios: [ScenarioResult]
    /// The reason on the `Bail out!` line; nil where there was none.
    public var bailOut: String?
    /// The scenario that had started and had no result when the stream ended.
    public var running: String?
    /// What was printed while no scenario ran, and while one ran that never ended.
    public var diagnostics: [String]
    /// What was wrong with the stream.
    public var protocolErrors: [KTAPProtocolError]
    /// True where every planned result arrived.
    public var isComplete: Bool

    /// Makes a value.
    public init(
        planned: Int? = nil,
        scenarios: [ScenarioResult] = [],
        bailOut: String? = nil,
        running: String? = nil,
        diagnostics: [String] = [],
        protocolErrors: [KTAPProtocolError] = [],
        isComplete: Bool = false
    ) {
        self.planned = planned
        self.scenarios = scenarios
        self.bailOut = bailOut
        self.running = running
        self.diagnostics = diagnostics
        self.protocolErrors = protocolErrors
        self.isComplete = isComplete
    }

    /// How many scenarios have a verdict.
    public func count(_ verdict: Verdict) -> Int {
        scenarios.count { $0.verdict == verdict }
    }

    /// Why scenarios were skipped: each reason and how many had it, the most frequent one first.
    public var skipReasons: [(reason: String, count: Int)] { reasons(for: .skipped) }

    /// Why scenarios have a verdict: each reason and how many had it, the most frequent one first.
    public func reasons(for verdict: Verdict) -> [(reason: String, count: Int)] {
        let concerned = scenarios.filter { $0.verdict == verdict }
        let counts = Dictionary(grouping: concerned) { $0.reason ?? "no reason given" }.mapValues(\.count)
        return counts.sorted { ($1.value, $0.key) < ($0.value, $1.key) }.map { ($0.key, $0.value) }
    }
}
