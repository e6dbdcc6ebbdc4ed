// SPDX-License-Identifier: GPL-2.0-only

import CUserfaultfd
import Scenarios
import Userfaultfd

/// Makes a fresh machine one that scenarios can run on: modules, swap, huge pages and settings of the kernel.
struct MachineSetup {
    private let arguments: Arguments

    /// Prepares the setup that the arguments ask for.
    init(_ arguments: Arguments) {
        self.arguments = arguments
    }

    /// Does it and returns notes on what is not there; scenarios that need that are skipped. A module that does not load
    /// is a failure.
    func run() throws(Failure) -> [String] {
        var notes = try Modules.loadAll()
        for setting in MachineSetup.settings where FileAccess.exists(setting.path.text) {
            attempt(&notes) { () throws(Failure) in try FileAccess.write(setting.path.text, setting.value.text) }
        }
        if arguments.swapMegabytes > 0 {
            attempt(&notes) { () throws(Failure) in try Swap.turnOn(megabytes: arguments.swapMegabytes) }
        }
        attempt(&notes) { () throws(Failure) in try HugePages.reserve(onEachNode: arguments.hugePages) }
        raiseLimits()
        return notes
    }

    /// Settings of the kernel, where it has them.
    private static let settings: [(path: StaticString, value: StaticString)] = [
        // An oops ends one scenario, not the run.
        ("/proc/sys/kernel/panic_on_oops", "0"),
        // The marks of scenarios must get through, all of them, and to the console. (Only with an end of line is it taken.)
        ("/proc/sys/kernel/printk_devkmsg", "on\n"),
        ("/proc/sys/kernel/printk", "7 4 1 7"),
        // A task that hangs is told before the longest watchdog is over.
        ("/proc/sys/kernel/hung_task_panic", "0"),
        ("/proc/sys/kernel/hung_task_timeout_secs", "20"),
        // Mappings are refused by no heuristic.
        ("/proc/sys/vm/overcommit_memory", "1"),
        // Nothing moves or collapses pages by itself; a scenario about that turns it on.
        ("/proc/sys/kernel/numa_balancing", "0"),
        ("/proc/sys/vm/compaction_proactiveness", "0"),
        ("/sys/kernel/mm/transparent_hugepage/khugepaged/scan_sleep_millisecs", "3600000"),
        ("/sys/kernel/mm/transparent_hugepage/enabled", "madvise"),
        ("/sys/kernel/mm/transparent_hugepage/shmem_enabled", "advise"),
        ("/sys/kernel/mm/transparent_hugepage/defrag", "madvise"),
        ("/sys/fs/cgroup/cgroup.subtree_control", "+memory"),
    ]

    private func attempt(_ notes: inout [String], _ step: () throws(Failure) -> Void) {
        do throws(Failure) {
            try step()
        } catch {
            notes.append(error.message)
        }
    }

    private func raiseLimits() {
        let unlimited = UInt64.max
        _ = cuffd_set_limit(CUFFD_LIMIT_LOCKED, unlimited)
        _ = cuffd_set_limit(CUFFD_LIMIT_FILES, 65536)
        _ = cuffd_set_limit(CUFFD_LIMIT_CORE, 0)
    }
}
