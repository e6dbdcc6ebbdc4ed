// SPDX-License-Identifier: GPL-2.0-only

import Glibc
import Synchronization

/// The sessions of all tools that run, for a process that must end at once.
public enum RunningTools {
    private static let sessions = Mutex<Set<ProcessSession>>([])

    /// Sends SIGKILL to every process of every tool that runs, and waits for none of them.
    ///
    /// Cancelling the tasks that run the tools is the orderly way; this is for when there is no time for it.
    public static func kill() {
        sessions.withLock { for session in $0 { session.signal(SIGKILL) } }
    }

    /// Takes note of a session; its leader must not be reaped before `remove`, lest its ID name another one.
    static func insert(_ session: ProcessSession) {
        sessions.withLock { _ = $0.insert(session) }
    }

    static func remove(_ session: ProcessSession) {
        sessions.withLock { _ = $0.remove(session) }
    }
}
