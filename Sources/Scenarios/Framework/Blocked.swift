// SPDX-License-Identifier: GPL-2.0-only

import CUserfaultfd
import Userfaultfd

/// Waits until a thread has either ended or stopped running: it sleeps in the kernel.
///
/// A thread that something woke is runnable from the moment of the wake-up (proc_pid_stat(5), state R), so what this
/// finds asleep, after a call that might have woken it, was not woken by that call. Reading the state over and over is
/// no race and needs no delay.
public func waitUntilBlocked(_ thread: Thread) throws(Failure) {
    while !thread.isFinished {
        let path = "/proc/self/task/\(thread.kernelID)/stat"
        guard let stat = try? FileAccess.line(path) else {
            sched_yield()
            continue
        }
        // The state is the word after the command's name, which is in parentheses and may hold anything.
        let bytes = Array(stat.utf8)
        if let end = bytes.lastIndex(of: 0x29), end + 2 < bytes.count, bytes[end + 2] != 0x52 { return }
        sched_yield()
    }
}
