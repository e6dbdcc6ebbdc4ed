// SPDX-License-Identifier: GPL-2.0-only

import Glibc
import Synchronization

/// The process groups of all tools that run, for a process that must end at once.
public enum RunningTools {
    private static let leaders = Mutex<Set<pid_t>>([])

    /// Sends SIGKILL to every process of every tool that runs, and waits for none of them.
    ///
    /// Cancelling the tasks that run the tools is the orderly way; this is for when there is no time for it.
    public static func kill() {
        leaders.withLock { for leader in $0 { _ = Glibc.kill(-leader, SIGKILL) } }
    }

    /// Takes note of a group; its leader must not be reaped before `remove`, lest its ID name another group.
    static func insert(_ group: ProcessGroup) {
        leaders.withLock { _ = $0.insert(group.leader) }
    }

    static func remove(_ group: ProcessGroup) {
        leaders.withLock { _ = $0.remove(group.leader) }
    }
}
