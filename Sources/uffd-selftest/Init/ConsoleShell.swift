// SPDX-License-Identifier: GPL-2.0-only

import CUserfaultfd
import Userfaultfd

/// `--shell`: a shell for people, on the machine as scenarios find it.
enum ConsoleShell {
    private static let path = "/bin/sh"

    /// Becomes the shell; returns only where that fails. `notes` tell what the machine lacks.
    static func run(notes: [String]) -> Int32 {
        symlink("/init", "/bin/uffd-selftest")
        takeTerminal()
        for note in notes { Output.standard.line("note: \(note)") }
        Output.standard.line("The machine is set up as scenarios find it: uffd-selftest --help. exit powers off.")
        let result = cuffd_exec(path, "sh", nil, nil, nil)
        Output.error.line("cannot run \(path): \(Errno(code: -result).name); was a busybox packed?")
        return Command.unusable
    }

    /// Makes the console's terminal the controlling one, so that Ctrl-C reaches what runs in the shell.
    private static func takeTerminal() {
        setsid()
        // /dev/console itself can control no session; the last console in the list is the one behind it.
        guard let line = try? FileAccess.line("/sys/class/tty/console/active"), let name = line.words.last else {
            return
        }
        let terminal = cuffd_open("/dev/\(name)", O_RDWR, 0)
        guard terminal >= 0 else { return }
        _ = cuffd_take_terminal(terminal)
        for stream: Int32 in 0...2 { dup2(terminal, stream) }
    }
}
