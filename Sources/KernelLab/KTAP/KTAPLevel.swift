// SPDX-License-Identifier: GPL-2.0-only

/// One level of nesting while a KTAP stream is read: the results so far, and what waits for the next one.
struct KTAPLevel: Sendable {
    /// What each line of this level begins with, beyond the level above.
    let prefix: String
    var hasVersion = false
    var planned: Int?
    private(set) var running: String?
    private(set) var results: [ScenarioResult] = []
    private(set) var numbers: Set<Int> = []
    private(set) var names: Set<String> = []
    /// Diagnostics since the last result or start.
    var diagnostics: [String] = []
    /// Diagnostics that belong to no result.
    private(set) var strayDiagnostics: [String] = []
    /// Subtests that ended and wait for their parent's result.
    var subtests: [ScenarioResult] = []

    /// A year of milliseconds: what claims to be longer is no duration, and could overflow a sum.
    private static let longestDuration = 365 * 24 * 3600 * 1000

    init(prefix: String) {
        self.prefix = prefix
    }

    mutating func start(_ name: String) {
        running = name
        strayDiagnostics += diagnostics
        diagnostics = []
    }

    mutating func add(number: Int, name: String, verdict: Verdict, reason: String?) {
        var result = ScenarioResult(number: number, name: name, verdict: verdict, reason: reason, subtests: subtests)
        for text in diagnostics where !Self.takeFact(text, into: &result) {
            // Our guest sets what a scenario printed two blanks apart from what it says itself.
            result.diagnostics.append(text.hasPrefix("  ") ? String(text.dropFirst(2)) : text)
        }
        if verdict == .failed, reason == nil {
            result.reason = result.failures.first.map { "\($0.location): \($0.message)" } ?? result.diagnostics.last
        }
        results.append(result)
        numbers.insert(number)
        names.insert(name)
        (running, diagnostics, subtests) = (nil, [], [])
    }

    /// Reads the diagnostics that our guest gives a form; returns false for those that are text for people.
    private static func takeFact(_ text: String, into result: inout ScenarioResult) -> Bool {
        if let value = text.value(after: "duration_ms: "), let milliseconds = Int(value),
            (0...Self.longestDuration).contains(milliseconds)
        {
            result.durationMilliseconds = milliseconds
        } else if let value = text.value(after: "traps: "), let traps = Int(value) {
            result.traps = traps
        } else if let value = text.value(after: "rules: ") {
            result.rules = value.split(separator: " ").map(String.init)
        } else if let value = text.value(after: "FAIL "), let colon = value.firstRange(of: ": ") {
            let location = String(value[..<colon.lowerBound])
            result.failures.append(.init(location: location, message: String(value[colon.upperBound...])))
        } else {
            return false
        }
        return true
    }

    /// The counts of `Totals: pass:A fail:B skip:C`, in the order of `Verdict.ofGuest`.
    static func totals(_ text: String) -> [Int]? {
        guard let value = text.value(after: "Totals: ") else { return nil }
        let pairs = value.split(separator: " ").map { $0.split(separator: ":") }
        let words = ["pass", "fail", "skip"]
        guard pairs.count == 3, zip(pairs, words).allSatisfy({ $0.count == 2 && $0[0] == $1 }) else { return nil }
        let counts = pairs.compactMap { Int($0[1]) }
        return counts.count == 3 ? counts : nil
    }

    static func words(_ totals: [Int]) -> String {
        zip(["pass", "fail", "skip"], totals).map { "\($0):\($1)" }.joined(separator: " ")
    }
}

extension String {
    /// What follows `prefix`; nil where the string does not begin with it.
    fileprivate func value(after prefix: String) -> Substring? {
        hasPrefix(prefix) ? dropFirst(prefix.count) : nil
    }
}
