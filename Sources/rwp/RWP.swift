// SPDX-License-Identifier: GPL-2.0-only

import ArgumentParser
import Foundation
import KernelLab

/// Builds kernels with userfaultfd read-write protection and proves them in virtual machines.
struct RWP: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rwp",
        abstract: "Build a kernel with userfaultfd read-write protection, boot it in QEMU and prove it.",
        discussion: """
            'rwp test' does the whole way: it fetches the kernel source, applies the patches, builds the kernel, boots \
            it in a virtual machine, runs the scenarios there and reports. The other commands are its steps.

            Exit status: 0 all passed or skipped with a reason, 1 a scenario failed, 2 usage, 3 something is missing \
            on this machine, 4 a patch or the build failed, 5 the virtual machine died, 130 interrupted.

            EXAMPLES
              rwp test                          everything, on base v7.2 with its series
              rwp test 'wp-*' --series none     some scenarios, on the unpatched kernel
              rwp test --tree ~/linux           on a tree of yours, which is not written to
              rwp doctor                        what this machine lacks
            """,
        subcommands: [
            TestCommand.self, ListCommand.self, ReportCommand.self, ShellCommand.self, BuildCommand.self,
            KselftestCommand.self, BenchCommand.self, PatchCommand.self, FetchCommand.self, SeriesCommand.self,
            MistakesCommand.self, DoctorCommand.self,
        ],
        defaultSubcommand: TestCommand.self
    )
}

/// The program: parses, runs, and ends with the documented status.
@main
enum Program {
    static func main() async {
        Interruption.current.catchSignals()
        let status = await run(Array(CommandLine.arguments.dropFirst()))
        exit(status)
    }

    /// Runs a command line and gives the exit status.
    static func run(_ arguments: [String]) async -> Int32 {
        do {
            _ = try RWP.parseAsRoot(arguments)
        } catch {
            return refuse(error, arguments)
        }
        do {
            try await Interruption.current.running {
                // Parsed again, in the task that runs it: a command is no value that may cross over.
                var command = try RWP.parseAsRoot(arguments)
                if var asynchronous = command as? any AsyncParsableCommand {
                    try await asynchronous.run()
                } else {
                    try command.run()
                }
            }
            return Interruption.current.signal.map { 128 + $0 } ?? ExitStatus.passed.rawValue
        } catch {
            return report(error)
        }
    }

    /// Answers a command line that is not to be run: it asks for help, or is wrong.
    private static func refuse(_ error: any Error, _ arguments: [String]) -> Int32 {
        let message = RWP.fullMessage(for: error)
        if RWP.exitCode(for: error).isSuccess {
            Output.standardOutput.line(message)
            return ExitStatus.passed.rawValue
        }
        Output.standardError.line(message)
        if !message.contains("--help") {
            let names = RWP.configuration.subcommands.compactMap { $0.configuration.commandName }
            let name = arguments.first { names.contains($0) } ?? "test"
            Output.standardError.line("  See 'rwp \(name) --help' for more information.")
        }
        return ExitStatus.usage.rawValue
    }

    /// Says on standard error what ended the command, and gives the status for it.
    private static func report(_ error: any Error) -> Int32 {
        if let signal = Interruption.current.signal {
            if let name = [SIGINT: "SIGINT", SIGTERM: "SIGTERM"][signal] {
                Output.standardError.line(
                    "rwp: interrupted by \(name); the cache has each step that was done, so the same command goes on there"
                )
            }
            return 128 + signal
        }
        if let error = error as? any LabError {
            Output.standardError.line("rwp: \(error.description)")
            return error.exitStatus.rawValue
        }
        // A command that has said all it has to say ends with a status alone.
        if let code = error as? ExitCode { return code.rawValue }
        // Help about a subcommand is an error of the command that gives it.
        if RWP.exitCode(for: error).isSuccess {
            Output.standardOutput.line(RWP.fullMessage(for: error))
            return ExitStatus.passed.rawValue
        }
        Output.standardError.line("rwp: \(error)")
        return ExitStatus.environment.rawValue
    }
}
