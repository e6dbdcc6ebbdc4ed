// SPDX-License-Identifier: GPL-2.0-only

/// Which scenarios cover each rule, and which patches implement it.
public struct RuleTable: Sendable {
    /// A scenario and the rules that it cites.
    public struct Scenario: Sendable, Hashable {
        /// Its name.
        public var name: String
        /// Numbers of rules.
        public var rules: [String]

        /// Makes a value.
        public init(name: String, rules: [String]) {
            self.name = name
            self.rules = rules
        }
    }

    /// A patch of the series.
    public struct Patch: Sendable, Hashable {
        /// "0004".
        public var number: String
        /// Its subject.
        public var subject: String
        /// Numbers of rules.
        public var rules: [String]
    }

    /// A row.
    public struct Row: Sendable, Hashable {
        /// The rule.
        public var rule: Rule
        /// Numbers of the patches that implement it.
        public var patches: [String]
        /// Names of the scenarios that cover it, sorted.
        public var scenarios: [String]
    }

    /// A row a rule.
    public var rows: [Row]
    /// The patches, in their order.
    public var patches: [Patch]
    /// What is wrong, a sentence each: what nothing covers or implements, and what cites what is not there.
    public var problems: [String]

    /// Brings them together.
    ///
    /// - Parameter summaries: The patches of the series.
    public init(contract: Contract, series: SeriesRules, summaries: [PatchSummary], scenarios: [Scenario]) {
        let patches = summaries.map { summary in
            Patch(
                number: String(summary.name.prefix(4)),
                subject: summary.subject,
                rules: series.patches.first { $0.subject == summary.subject }?.rules ?? []
            )
        }
        self.patches = patches
        rows = contract.rules.map { rule in
            Row(
                rule: rule,
                patches: patches.filter { $0.rules.contains(rule.id) }.map(\.number),
                scenarios: scenarios.filter { $0.rules.contains(rule.id) }.map(\.name).sorted()
            )
        }
        problems =
            Self.gaps(rows)
            + Self.strangers(contract, patches: series.patches, subjects: summaries.map(\.subject), scenarios)
    }

    private static func gaps(_ rows: [Row]) -> [String] {
        rows.filter { $0.rule.later == nil }.flatMap { row in
            (row.scenarios.isEmpty ? ["no scenario covers rule \(row.rule.id)"] : [])
                + (row.patches.isEmpty ? ["no patch implements rule \(row.rule.id)"] : [])
        }
    }

    private static func strangers(
        _ contract: Contract,
        patches: [PatchRules],
        subjects: [String],
        _ scenarios: [Scenario]
    ) -> [String] {
        let known = Set(contract.rules.map(\.id))
        let cited =
            scenarios.map { ("scenario \($0.name)", $0.rules) } + patches.map { ("patch “\($0.subject)”", $0.rules) }
        return cited.flatMap { citer, rules in
            rules.filter { !known.contains($0) }.map { "\(citer) cites rule \($0), which is not in the contract" }
        }
            + patches.filter { !subjects.contains($0.subject) }
            .map { "rules.toml names the patch “\($0.subject)”, which the series does not have" }
            + subjects.filter { subject in !patches.contains { $0.subject == subject } }
            .map { "rules.toml does not name the patch “\($0)”" }
    }

    /// The table as Markdown, for docs/rules.md.
    public var markdown: String {
        var text = """
            <!-- SPDX-License-Identifier: GPL-2.0-only -->
            <!-- Generated: rwp list --rules --markdown > docs/rules.md -->

            # Rules, the patches that implement them, and the scenarios that prove them

            | rule | what it says | patches | scenarios |
            | --- | --- | --- | --- |

            """
        for row in rows {
            let scenarios = row.scenarios.map { "`\($0)`" }.joined(separator: " ")
            let reason = row.rule.later.map { "later: \($0)" } ?? ""
            let cells = [
                "**\(row.rule.id)**", row.rule.text, row.patches.joined(separator: " "),
                [scenarios, reason].filter { !$0.isEmpty }.joined(separator: "; "),
            ]
            text += "| " + cells.map { $0.replacing("|", with: "\\|") }.joined(separator: " | ") + " |\n"
        }
        text += "\n| patch | subject | rules |\n| --- | --- | --- |\n"
        for patch in patches {
            text += "| \(patch.number) | \(patch.subject) | \(patch.rules.joined(separator: " ")) |\n"
        }
        return text
    }
}
