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
            machine lacks is skipped there, with that reason.

            EXAMPLES
              rwp list                  all of them
              rwp list 'wp-*'           those about write protection
              rwp list --names          names alone, one a line, for scripts
              rwp list --json | jq .    everything, for programs
            """
    )

    @Argument(help: ArgumentHelp("Scenario names, or globs of them.", valueName: "pattern"))
    var patterns: [String] = []

    @Flag(help: "Print the names alone, one a line.")
    var names = false

    @Flag(help: "Print JSON.")
    var json = false

    @Flag(help: "Show those that test the harness itself, too.")
    var all = false

    @OptionGroup var screen: ScreenOptions

    func validate() throws {
        if names, json {
            throw CommandLineError.contradiction("--names", "--json", wayOut: "keep the one that you mean")
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
        if names {
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
        return (table.string(for: catalog.entries, style: Style.simple) ?? "")
            + "\n\(catalog.entries.count) scenarios, \(catalog.resultCount) results\n"
    }

    private static func kinds(_ kinds: [String]) -> String {
        kinds.count == ScenarioResult.memoryKinds.count ? "all" : kinds.joined(separator: " ")
    }
}
