// SPDX-License-Identifier: GPL-2.0-only

import CUserfaultfd
import Userfaultfd

/// Blocks until a thread of this process sleeps in the kernel, that is, has left the CPU for good until somebody wakes
/// it. A message can be read before its thread has decided to sleep, and a range that is resolved in between spares it
/// the sleep: whoever is about to show that nothing woke a thread needs it asleep first. /proc/PID/syscall says
/// "running" until the scheduler has taken the thread off its queue (proc_pid_syscall(5)), and again from the moment in
/// which something wakes it. A thread that has ended is a failure: it did not sleep.
func waitAsleep(_ thread: Thread) throws(Failure) {
    try waitAsleep(thread.kernelID)
}

/// The same of a thread by its id in the kernel.
@inline(never)
func waitAsleep(_ thread: Int32) throws(Failure) {
    while try FileAccess.line("/proc/self/task/\(thread)/syscall").begins(with: "running") {
        sched_yield()
    }
}
