// SPDX-License-Identifier: GPL-2.0-only

import ArgumentParser
import Foundation
import KernelLab

/// How much is shown.
struct ScreenOptions: ParsableArguments {
    @Flag(name: .shortAndLong, help: "Print the result alone, and errors.")
    var quiet = false

    @Flag(name: .shortAndLong, help: "Show what the kernel prints on its console, too.")
    var verbose = false

    func validate() throws {
        if quiet, verbose {
            throw CommandLineError.contradiction("--quiet", "--verbose", wayOut: "keep the one that you mean")
        }
    }

    /// Where a run is shown.
    enum Stream {
        /// Standard output: the run is what the user asked for.
        case output
        /// Standard error: standard output is for the path that the command makes.
        case error

        var descriptor: Int32 { self == .output ? STDOUT_FILENO : STDERR_FILENO }
        var output: Output { self == .output ? .standardOutput : .standardError }
    }

    /// A reader of events for the stream: live on a terminal, plain lines elsewhere, none with `--quiet`.
    func reader(on stream: Stream, title: String) -> any EventReader {
        let environment = ProcessInfo.processInfo.environment
        if quiet { return SilentReader() }
        guard Ink.isTerminal(stream.descriptor, environment: environment) else {
            return PlainLines(output: stream.output, showsConsole: verbose, started: .now)
        }
        return LiveScreen(
            output: stream.output,
            ink: .of(stream.descriptor, environment: environment),
            title: title,
            showsConsole: verbose,
            started: .now,
            size: { .of(stream.descriptor) }
        )
    }
}
