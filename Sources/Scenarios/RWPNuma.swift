// SPDX-License-Identifier: GPL-2.0-only

import CUserfaultfd
import Userfaultfd

/// NUMA balancing beside read-write protection: both make entries protnone, and neither may touch the other's (rule F4).
enum RWPNuma {
    static let scenarios: [Scenario] = [
        Scenario(
            "rwp-numa-hinting",
            "hinting faults on unarmed pages are counted and never delivered; armed pages stay armed",
            rules: "F4 P1 P2 F1",
            on: [.anon, .anonTHP, .shmem, .shmemPrivate],
            needs: Need.rwp + [
                .file("/proc/sys/kernel/numa_balancing", "CONFIG_NUMA_BALANCING"),
                .file("/sys/kernel/debug/sched/numa_balancing", "CONFIG_SCHED_DEBUG"),
                .nodes(2), .cpus(2), .root, .ownMachine,
            ],
            seconds: 60,
            hinting
        )
    ]

    /// What the scheduler's scan for NUMA hinting looks at: often and much, so that it comes soon.
    private static let knobs: [(StaticString, StaticString)] = [
        ("/sys/kernel/debug/sched/numa_balancing/scan_delay_ms", "1"),
        ("/sys/kernel/debug/sched/numa_balancing/scan_period_min_ms", "1"),
        ("/sys/kernel/debug/sched/numa_balancing/scan_period_max_ms", "10"),
        ("/proc/sys/kernel/numa_balancing", "1"),
    ]

    private static func hinting(_ context: Context) throws(Failure) {
        try Protected(context, async: false).showTrap()
        var before: [String] = []
        for (path, value) in knobs {
            before.append(try FileAccess.line(path.text))
            try FileAccess.write(path.text, value.text)
        }
        defer {
            for (index, (path, _)) in knobs.enumerated() { try? FileAccess.write(path.text, before[index]) }
        }
        // A process takes the delay of its first scan when it begins.
        let child = try Child { () throws(Failure) in
            try underHinting(context)
            return 0
        }
        try child.waitForSuccess()
    }

    private static func underHinting(_ context: Context) throws(Failure) {
        let perHuge = context.kind.isTHP ? 1 : 64
        let protected = try Protected(context, async: false, chunks: 4 * perHuge)
        let memory = protected.memory
        // The first quarter has armed pages among unarmed ones of the same folio, the second is armed, the others are
        // not. Nobody accesses the last: it is for arming what is hinted.
        let quarter = memory.pages / 4
        let isArmed: @Sendable (Int) -> Bool = { $0 < quarter ? $0 % 8 < 3 : $0 < 2 * quarter }
        for run in stride(from: 0, to: quarter, by: 8) {
            try protected.uffd.readWriteProtect(memory.pages(run..<(run + 3)))
        }
        try protected.uffd.readWriteProtect(memory.pages(quarter..<(2 * quarter)))
        let stop = Words(1)
        var threads: [Thread] = []
        for cpu in 0..<2 {
            threads.append(
                try Thread { () throws(Failure) in
                    var round: UInt8 = 0
                    var page = 0
                    while stop[0] == 0 {
                        // From node to node, so that the pages have reason to follow.
                        if page == 0 { try runOn(cpu: (cpu + Int(round)) % 2) }
                        if !isArmed(page) { memory.store(page, offset: 64 + UInt(cpu), round) }
                        page = (page + 1) % (3 * quarter)
                        if page == 0 { round &+= 1 }
                    }
                }
            )
        }
        // One fault of a large folio gives back all of its hinted pages.
        let wanted = try hintFaults() + (context.kind.isTHP ? 20 : 200)
        let last = 3 * quarter..<memory.pages
        while try hintFaults() < wanted {
            try protected.expectArmedPages("under hinting", isArmed)
            try protected.expectNoMessage("under hinting")
            for arms in [true, false] {
                try protected.uffd.readWriteProtect(memory.pages(last), arms)
                try protected.expectArmedPages("armed under hinting") { last.contains($0) ? arms : isArmed($0) }
            }
        }
        stop[0] = 1
        for thread in threads { try thread.join() }
        try protected.expectNoMessage("after hinting")
        for page in [0, quarter - 8, quarter, 2 * quarter - 1] { try protected.expectPageTrap(page) }
        try protected.uffd.readWriteProtect(memory.pages(last))
        try protected.expectPageTrap(last.lowerBound, .write(1), offset: 100)
        try protected.uffd.readWriteProtect(memory.range, false)
        try memory.check("at the end")
    }

    /// How many NUMA hinting faults the machine has had.
    private static func hintFaults() throws(Failure) -> Int {
        for line in try FileAccess.lines("/proc/vmstat") {
            let words = line.words
            if words.count == 2, words[0].isSame(as: "numa_hint_faults") { return words[1].number ?? 0 }
        }
        throw Failure("/proc/vmstat has no numa_hint_faults")
    }

    private static func runOn(cpu: Int) throws(Failure) {
        var mask: UInt64 = 1 << UInt64(cpu)
        let code = withUnsafeMutablePointer(to: &mask) { pointer in
            cuffd_syscall(Int(SYS_sched_setaffinity), 0, 8, Int(bitPattern: pointer), 0, 0, 0)
        }
        try checked("sched_setaffinity", code)
    }
}
