// SPDX-License-Identifier: GPL-2.0-only

import ArgumentParser
import Foundation
import KernelLab
import TextTable

/// `rwp doctor`: what this machine has, and what it lacks.
struct DoctorCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "doctor",
        abstract: "Say what this machine has and lacks, and how to get it.",
        discussion: """
            Exit status 3 if something is missing without which 'rwp test' cannot work.

            EXAMPLES
              rwp doctor
            """
    )

    func run() async throws {
        let root = try PackageRoot.find()
        let checkup = try await Checkup.of(root: root)
        let ink = Ink.of(STDOUT_FILENO, environment: ProcessInfo.processInfo.environment)
        Output.standardOutput.write(Self.text(checkup, ink: ink))
        if !checkup.isHealthy { throw ExitCode(ExitStatus.environment.rawValue) }
    }

    static func text(_ checkup: Checkup, ink: Ink) -> String {
        let table = TextTable<Checkup.Finding> { finding in
            [
                Column(title: "WHAT", value: finding.name),
                Column(title: "FOUND", value: finding.found ?? (finding.isNeeded ? "MISSING" : "no")),
                Column(title: "NEEDED TO", value: finding.purpose),
            ]
        }
        var text = TableText.standardOutput.text(table, of: checkup.findings)
        text = text.replacing("MISSING", with: ink.red("MISSING"))
        text += "\n"
        for note in checkup.notes { text += note + "\n" }
        let missing = checkup.findings.filter { $0.found == nil && $0.isNeeded }
        let useful = checkup.findings.filter { $0.found == nil && !$0.isNeeded }
        for (title, findings) in [("Missing", missing), ("Useful, but not needed", useful)] where !findings.isEmpty {
            text += "\n\(title):\n" + findings.map { "  \($0.name): \($0.wayOut)\n" }.joined()
        }
        return text + "\n" + (missing.isEmpty ? ink.green("Ready.") : ink.red("Not ready.")) + "\n"
    }
}
