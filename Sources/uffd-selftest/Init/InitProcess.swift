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
        let arguments: Arguments
        do throws(Failure) {
            arguments = try Arguments(Arguments.words())
            if arguments.sabotage == .hangAtStart { hang() }
            try runChild(arguments, output, notes)
            if arguments.sabotage == .hangAtEnd { hang() }
        } catch {
            output.line(KTAP.bailOut(error.message))
        }
        cuffd_power_off()
        hang()
    }

    /// Runs the suite, or the shell, in a child, so that what kills it does not take the machine with it.
    private static func runChild(_ arguments: Arguments, _ output: Output, _ notes: [String]) throws(Failure) {
        let selection = arguments.shell ? nil : try Selection(arguments)
        let setup = MachineSetup(arguments, notes: notes)
        let allNotes = try setup.run()
        let child = try Child { () throws(Failure) in
            guard let selection else { return ConsoleShell.run(notes: allNotes) }
            let suite = Suite(selection, arguments, output: output, isOwnMachine: true, notes: allNotes)
            return try suite.run() ? Command.success : Command.failed
        }
        let end = reap(until: child.identifier)
        if selection == nil || arguments.sabotage == .cutStream { return }
        switch end {
        case .exited(Command.success), .exited(Command.failed): return
        case .exited(let status): throw Failure("the runner exited with status \(status)")
        case .killed(let signal): throw Failure("\(signalName(signal)) ended the runner")
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
