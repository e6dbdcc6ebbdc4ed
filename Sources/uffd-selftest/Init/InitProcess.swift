// SPDX-License-Identifier: GPL-2.0-only

import CUserfaultfd
import Scenarios
import Userfaultfd

/// The program as PID 1: it sets the machine up, runs the suite in a child, and powers off whatever happens.
///
/// Should PID 1 itself die, the kernel panics: no end of its can be taken for a success.
enum InitProcess {
    /// Never returns: the machine is off, or hangs on purpose.
    static func run() -> Never {
        Mounts.makeStandardStreams()
        var notes = Mounts.mountAll()
        let output: Output
        do throws(Failure) {
            output = try Port.open() ?? .standard
        } catch {
            notes.append(error.message)
            output = .standard
        }
        do throws(Failure) {
            let arguments = try readArguments(output)
            try run(arguments, output, notes)
            if arguments.sabotage == .hangAtEnd { hang() }
        } catch {
            output.line(KTAP.bailOut(error.message))
        }
        cuffd_power_off()
        hang()
    }

    /// Reads the arguments and begins the stream, so that whatever fails from then on can be told.
    private static func readArguments(_ output: Output) throws(Failure) -> Arguments {
        do throws(Failure) {
            let arguments = try Arguments(Arguments.words())
            if arguments.sabotage == .hangAtStart { hang() }
            if !arguments.shell { output.line(KTAP.version) }
            return arguments
        } catch {
            output.line(KTAP.version)
            throw error
        }
    }

    /// Sets the machine up, then runs the suite, or the shell, in a child: what kills that does not take the machine with
    /// it.
    private static func run(_ arguments: Arguments, _ output: Output, _ notes: [String]) throws(Failure) {
        if let option = arguments.commandOption { throw Failure("\(option) does not work as PID 1") }
        let selection = arguments.shell ? nil : try Selection(arguments)
        let allNotes = notes + (try MachineSetup(arguments).run())
        let child = try Child {
            guard let selection else { return ConsoleShell.run(notes: allNotes) }
            return runSuite(selection, arguments, output, allNotes)
        }
        switch reap(until: child.identifier) {
        // It said itself why it is unusable, or is a shell that ends with whatever it likes.
        case .exited: return
        case .killed(let signal): throw Failure("\(signalName(signal)) ended the runner")
        }
    }

    private static func runSuite(
        _ selection: Selection,
        _ arguments: Arguments,
        _ output: Output,
        _ notes: [String]
    ) -> Int32 {
        do throws(Failure) {
            let suite = Suite(selection, arguments, output: output, isOwnMachine: true, notes: notes)
            return try suite.run() ? Command.success : Command.failed
        } catch {
            output.line(KTAP.bailOut(error.message))
            return Command.unusable
        }
    }

    /// Reaps whatever comes, as PID 1 must, until one child ends.
    private static func reap(until identifier: Int32) -> Child.End {
        while true {
            var status: Int32 = 0
            if waitpid(-1, &status, 0) == identifier { return Child.End(status: status) }
        }
    }

    private static func hang() -> Never {
        while true { pause() }
    }
}
