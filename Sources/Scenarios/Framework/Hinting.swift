// SPDX-License-Identifier: GPL-2.0-only

import CUserfaultfd
import Userfaultfd

/// NUMA balancing (Documentation/admin-guide/sysctl/kernel.rst), which makes entries protnone to learn who accesses them.
/// It is the machine's, so who uses it runs on one of the suite's own, whose runner puts the settings back.
enum Hinting {
    /// The kinds of memory that are hinted.
    static let kinds: [MemoryKind] = [.anon, .anonTHP, .shmem, .shmemPrivate]

    static let needs: [Need] = [
        .file("/proc/sys/kernel/numa_balancing", "CONFIG_NUMA_BALANCING"),
        .file("/sys/kernel/debug/sched/numa_balancing", "CONFIG_SCHED_DEBUG"),
        .nodes(2), .cpus(2), .root, .ownMachine,
    ]

    /// Runs `body` in a child while the scheduler scans for hinting often and much; a process takes the delay of its
    /// first scan when it begins.
    @inline(never)
    static func often(_ body: () throws(Failure) -> Void) throws(Failure) {
        try GlobalSettings.set([
            ("/sys/kernel/debug/sched/numa_balancing/scan_delay_ms", "1"),
            ("/sys/kernel/debug/sched/numa_balancing/scan_period_min_ms", "1"),
            ("/sys/kernel/debug/sched/numa_balancing/scan_period_max_ms", "10"),
            ("/proc/sys/kernel/numa_balancing", "1"),
        ])
        let child = try Child { () throws(Failure) in
            try body()
            return 0
        }
        try child.waitForSuccess()
    }

    /// How often the whole address space was scanned for hinting.
    static func scans() throws(Failure) -> Int {
        for line in try FileAccess.lines("/proc/self/sched") {
            let words = line.words
            if words.count == 3, words[0].isSame(as: "mm->numa_scan_seq") { return words[2].number ?? 0 }
        }
        throw Failure("/proc/self/sched has no mm->numa_scan_seq")
    }

    /// How many NUMA hinting faults the machine has had.
    static func faults() throws(Failure) -> Int {
        for line in try FileAccess.lines("/proc/vmstat") {
            let words = line.words
            if words.count == 2, words[0].isSame(as: "numa_hint_faults") { return words[1].number ?? 0 }
        }
        throw Failure("/proc/vmstat has no numa_hint_faults")
    }

    /// Has two threads go from node to node and touch one page after the other, over and over, so that pages have reason
    /// to follow; checks until there have been enough hinting faults at memory of this kind.
    @inline(never)
    static func under(
        _ memory: Memory,
        pages: Int,
        touch: @escaping @Sendable (_ page: Int, _ walker: Int, _ round: UInt8) -> Void,
        check: () throws(Failure) -> Void
    ) throws(Failure) {
        let stop = Words(1)
        let home = try Affinity()
        var threads: [Thread] = []
        for cpu in 0..<2 {
            threads.append(
                try Thread { () throws(Failure) in
                    var round: UInt8 = 0
                    while stop[0] == 0 {
                        try home.only(cpu + Int(round)).apply()
                        for page in 0..<pages where stop[0] == 0 { touch(page, cpu, round) }
                        round &+= 1
                    }
                }
            )
        }
        // One fault of a large folio gives back all of its hinted pages.
        let wanted = try faults() + (memory.kind.isTHP ? 20 : 200)
        while try faults() < wanted { try check() }
        stop[0] = 1
        for thread in threads { try thread.join() }
    }
}
