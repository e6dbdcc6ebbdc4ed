// SPDX-License-Identifier: GPL-2.0-only

import ArgumentParser
import Foundation
import KernelLab
import TextTable

/// `rwp list`: what there is to run.
struct ListCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list",
        abstract: "List the scenarios: name, memory kinds, the contract's rules, what they need.",
        discussion: """
            The guest program lists them itself, so it is built first if need be. A scenario that needs what a \
            machine lacks is skipped there, with that reason. A terminal shows what fits of a line, a pipe all of it.

            EXAMPLES
              rwp list                  all of them
              rwp list 'wp-*'           those about write protection
              rwp list --names          names alone, one a line, for scripts
              rwp list --json | jq .    everything, for programs
              rwp list --rules          the contract's rules, with their patches and scenarios
              rwp list --expected v7.3  what is known to fail on that kernel, and why
            """
    )

    @Argument(help: ArgumentHelp("Scenario names, or globs of them.", valueName: "pattern"))
    var patterns: [String] = []

    @Flag(help: "Print the names alone, one a line.")
    var names = false

    @Flag(help: "Print JSON.")
    var json = false

    @Flag(help: "List the contract's rules: the patches that implement each, and the scenarios that cover it.")
    var rules = false

    @Option(
        help: ArgumentHelp(
            "List what is known to fail on a base without a series: a name under kernel-patches/expected.",
            valueName: "base"
        )
    )
    var expected: String?

    @Flag(help: "With --rules or --expected: as Markdown, for docs/.")
    var markdown = false

    @Flag(help: "Show those that test the harness itself, too.")
    var all = false

    @OptionGroup var screen: ScreenOptions

    func validate() throws {
        let forms = [("--names", names), ("--json", json), ("--rules", rules), ("--expected", expected != nil)]
            .filter(\.1).map(\.0)
        if forms.count > 1 {
            throw CommandLineError.contradiction(forms[0], forms[1], wayOut: "keep the one that you mean")
        }
        if markdown, !rules, expected == nil {
            throw CommandLineError.needs("--rules or --expected BASE", option: "--markdown")
        }
        if rules || expected != nil, !patterns.isEmpty {
            throw CommandLineError.contradiction(forms[0], patterns[0], wayOut: "the table is of all scenarios")
        }
    }

    func run() async throws {
        let root = try PackageRoot.find()
        let catalog = try await Screen.during(screen.reader(on: .error, title: "rwp list")) { events in
            let lab = Lab(root: root, events: events)
            return try await ScenarioCatalog.of(
                try await lab.guestProgram(),
                patterns: patterns,
                hidden: all
            )
        }
        if rules {
            let table = try await Lab(root: root, events: .discarding).ruleTable(catalog)
            Output.standardOutput.write(markdown ? table.markdown : Self.table(table))
            table.problems.forEach { Output.standardError.line("rwp: \($0)") }
            if !table.problems.isEmpty { throw ExitCode(ExitStatus.scenarioFailed.rawValue) }
        } else if let expected {
            let expectations = try Lab(root: root, events: .discarding).expectations(named: expected, of: catalog)
            Output.standardOutput.write(
                markdown
                    ? expectations.markdown(name: expected) : Self.table(expectations)
            )
        } else if names {
            catalog.entries.forEach { Output.standardOutput.line($0.name) }
        } else if json {
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
            Output.standardOutput.line(String(decoding: try encoder.encode(catalog.entries), as: UTF8.self))
        } else {
            Output.standardOutput.write(Self.table(catalog))
        }
    }

    private static func table(_ catalog: ScenarioCatalog) -> String {
        let table = TextTable<ScenarioCatalog.Entry> { entry in
            [
                Column(title: "SCENARIO", value: entry.name),
                Column(title: "KINDS", value: kinds(entry.kinds)),
                Column(title: "RULES", value: entry.rules.joined(separator: " ")),
                Column(title: "NEEDS", value: entry.needs.joined(separator: ", ")),
            ]
        }
        return TableText.standardOutput.text(table, of: catalog.entries)
            + "\n\(catalog.entries.count) scenarios, \(catalog.resultCount) results\n"
    }

    private static func table(_ rules: RuleTable) -> String {
        let table = TextTable<RuleTable.Row> { row in
            [
                Column(title: "RULE", value: row.rule.id),
                Column(title: "PATCHES", value: row.patches.joined(separator: " ")),
                Column(title: "SCENARIOS", value: row.scenarios.joined(separator: " ")),
            ]
        }
        return table.string(for: rules.rows, style: Style.simple) ?? ""
    }

    private static func table(_ expectations: Expectations) -> String {
        let table = TextTable<Expectations.Entry> { entry in
            [
                Column(title: "RULE", value: entry.rule),
                Column(title: "SINCE", value: entry.since),
                Column(title: "WHAT THE KERNEL DOES", value: entry.what),
                Column(title: "WHAT FAILS", value: entry.results.joined(separator: " ")),
            ]
        }
        return TableText.standardOutput.text(table, of: expectations.entries)
    }

    private static func kinds(_ kinds: [String]) -> String {
        kinds.count == ScenarioResult.memoryKinds.count ? "all" : kinds.joined(separator: " ")
    }
}
