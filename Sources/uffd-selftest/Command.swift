// SPDX-License-Identifier: GPL-2.0-only

import CUserfaultfd
import Scenarios
import Userfaultfd

/// The program as an ordinary command.
enum Command {
    /// Exit statuses: all passed or were skipped; a scenario failed; the command line, or the machine, is not usable.
    static let (success, failed, unusable): (Int32, Int32, Int32) = (0, 1, 2)

    /// Does what the command line asks for and returns the exit status.
    static func run() -> Int32 {
        do throws(Failure) {
            let arguments = try Arguments(Arguments.words())
            if arguments.help {
                Output.standard.write(Arguments.helpText)
                return success
            }
            if let option = arguments.initOption { throw Failure("\(option) works as PID 1 only") }
            let selection = try Selection(arguments)
            if arguments.list {
                Listing.write(selection)
                return success
            }
            Output.standard.line(KTAP.version)
            let suite = Suite(selection, arguments, output: .standard, isOwnMachine: false)
            return try suite.run() ? success : failed
        } catch {
            Output.error.write("uffd-selftest: \(error.message)\n")
            return unusable
        }
    }
}

extension Selection {
    /// What the arguments select of the catalog and the harness, or the programs that they name.
    init(_ arguments: Arguments) throws(Failure) {
        if let list = arguments.programList {
            self.init(try Program.list(list))
            return
        }
        try self.init(
            of: Catalog.scenarios + Harness.scenarios,
            patterns: arguments.patterns,
            skips: arguments.skips,
            includesHarness: arguments.list && arguments.all,
            includesStress: arguments.load.seconds > 0 || arguments.list
        )
    }
}

extension Arguments {
    /// The words after the program's name, from /proc, since Embedded Swift hands nobody the C library's. As PID 1 they
    /// are what stands behind `--` on the kernel's command line.
    static func words() throws(Failure) -> [String] {
        let words = try FileAccess.read("/proc/self/cmdline").split(separator: 0, omittingEmptySubsequences: false)
        // Every word ends with a NUL, so what comes after the last one is empty.
        return words.dropFirst().dropLast().map { String(decoding: $0, as: UTF8.self) }
    }
}
