// SPDX-License-Identifier: GPL-2.0-only

import ArgumentParser
import Foundation
import KernelLab
import SystemPackage

/// `rwp report`: what an earlier run came to.
struct ReportCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "report",
        abstract: "Show the results of an earlier run again.",
        discussion: """
            The exit status is that of the run.

            EXAMPLES
              rwp report                                 the newest run in ./results
              rwp report results/2026-11-21T10-15-00Z    a certain one
              rwp report --results ~/rwp-results         the newest run elsewhere
            """
    )

    @Argument(help: ArgumentHelp("The folder of a run.", valueName: "dir"), completion: .directory)
    var folder: String?

    @Option(help: ArgumentHelp("Where runs put their results.", valueName: "dir"), completion: .directory)
    var results = "results"

    func run() async throws {
        let path = folder.map { FilePath($0) } ?? FilePath(results).appending(ResultsFolder.latest)
        let results = try Results(directory: path)
        let round = TestRound(results: results, folder: path)
        let again = RerunCommand(arguments: results.context.command, patterns: [])
        let ink = Ink.of(STDOUT_FILENO, environment: ProcessInfo.processInfo.environment)
        Output.standardOutput.write(Summary(rounds: [round], again: again).text(ink))
        if results.exitStatus != .passed { throw ExitCode(results.exitStatus.rawValue) }
    }
}
