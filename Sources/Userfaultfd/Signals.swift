// SPDX-License-Identifier: GPL-2.0-only

import CUserfaultfd

/// The name that signal(7) gives a signal ("SIGSEGV"), or "signal 40" for one without a name here.
public func signalName(_ number: Int32) -> String {
    let names: [(Int32, StaticString)] = [
        (SIGHUP, "SIGHUP"), (SIGINT, "SIGINT"), (SIGQUIT, "SIGQUIT"), (SIGILL, "SIGILL"), (SIGTRAP, "SIGTRAP"),
        (SIGABRT, "SIGABRT"), (SIGBUS, "SIGBUS"), (SIGFPE, "SIGFPE"), (SIGKILL, "SIGKILL"), (SIGSEGV, "SIGSEGV"),
        (SIGPIPE, "SIGPIPE"), (SIGALRM, "SIGALRM"), (SIGTERM, "SIGTERM"), (SIGSYS, "SIGSYS"),
    ]
    for known in names where known.0 == number {
        return "\(known.1)"
    }
    return "signal \(number)"
}
