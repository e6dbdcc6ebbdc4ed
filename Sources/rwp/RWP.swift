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
            """
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
            try await Interruption.current.running {
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

    /// Says on standard error what ended the command, and gives the status for it.
    private static func report(_ error: any Error) -> Int32 {
        if let signal = Interruption.current.signal {
            if signal == SIGINT || signal == SIGTERM { Output.standardError.line("rwp: stopped") }
            return 128 + signal
        }
        if let error = error as? any LabError {
            Output.standardError.line("rwp: \(error.description)")
            return error.exitStatus.rawValue
        }
        let code = RWP.exitCode(for: error)
        let message = RWP.fullMessage(for: error)
        if code.isSuccess {
            Output.standardOutput.line(message)
        } else if !message.isEmpty {
            Output.standardError.line(message)
        }
        return code == .validationFailure ? ExitStatus.usage.rawValue : code.rawValue
    }
}
