// SPDX-License-Identifier: GPL-2.0-only

import CUserfaultfd
import Userfaultfd

/// NUMA balancing beside read-write protection: both make entries protnone, and neither may touch the other's (rule F4).
enum RWPNuma {
    static let scenarios: [Scenario] = [
        hinting("rwp-numa-hinting", rules: "F4 P1 P2 F1", async: false),
        hinting("rwp-numa-hinting-async", rules: "F4 P1 P2 F2", async: true),
        hinted("rwp-numa-mremap", "mremap(2) without EVENT_REMAP moves the hints of unarmed pages", rules: "L4 F4") {
            (protected) throws(Failure) in try protected.memory.remapped()
        },
        hinted("rwp-numa-resolve", "resolving what is not armed leaves its hints alone", rules: "P2 F4") {
            (protected) throws(Failure) in
            try protected.resolve(0..<protected.memory.chunkCount)
            return protected.memory
        },
        hinted("rwp-numa-unregister", "unregister leaves the hints of unarmed pages alone", rules: "L6 F4") {
            (protected) throws(Failure) in
            try protected.uffd.unregister(protected.memory.range)
            return protected.memory
        },
        hinted("rwp-numa-arm", "a hinted page can be armed: it traps", rules: "F4 P1") { (protected) throws(Failure) in
            let memory = protected.memory
            try protected.armAll()
            for chunk in [1, memory.chunkCount - 1] { try protected.expectTrap(chunk, .write(3), offset: 100) }
            // Not hinted any more, and not to be looked at.
            return nil
        },
    ]

    private static let kinds: [MemoryKind] = [.anon, .anonTHP, .shmem, .shmemPrivate]

    private static let needs: [Need] =
        Need.rwp + [
            .file("/proc/sys/kernel/numa_balancing", "CONFIG_NUMA_BALANCING"),
            .file("/sys/kernel/debug/sched/numa_balancing", "CONFIG_SCHED_DEBUG"),
            .nodes(2), .cpus(2), .root, .ownMachine,
        ]

    /// Runs `body` in a child while the scheduler scans for NUMA hinting often and much; a process takes the delay of its
    /// first scan when it begins.
    private static func balanced(
        _ context: Context,
        _ body: (Context) throws(Failure) -> Void
    ) throws(Failure) {
        try Protected(context, async: false).showTrap()
        try GlobalSettings.set([
            ("/sys/kernel/debug/sched/numa_balancing/scan_delay_ms", "1"),
            ("/sys/kernel/debug/sched/numa_balancing/scan_period_min_ms", "1"),
            ("/sys/kernel/debug/sched/numa_balancing/scan_period_max_ms", "10"),
            ("/proc/sys/kernel/numa_balancing", "1"),
        ])
        let child = try Child { () throws(Failure) in
            try body(context)
            return 0
        }
        try child.waitForSuccess()
    }

    private static func hinting(_ name: StaticString, rules: StaticString, async: Bool) -> Scenario {
        Scenario(
            name,
            "hinting faults on unarmed pages are counted and never delivered; armed pages stay armed",
            rules: rules,
            on: kinds,
            needs: needs,
            seconds: 60
        ) { (context) throws(Failure) in
            try balanced(context) { (context) throws(Failure) in try underHinting(context, async: async) }
        }
    }

    /// Hints every second chunk, that nobody has accessed since, and the others, that were only read to know that all are
    /// hinted. After `act` each of the former still takes a hinting fault, where `act` says they are.
    private static func hinted(
        _ name: StaticString,
        _ what: StaticString,
        rules: StaticString,
        _ act: @escaping @Sendable (Protected) throws(Failure) -> Memory?
    ) -> Scenario {
        Scenario(name, what, rules: rules, on: kinds, needs: needs, seconds: 60) { (context) throws(Failure) in
            try balanced(context) { (context) throws(Failure) in
                let protected = try Protected(context, async: false, chunks: context.kind.isTHP ? 8 : 128)
                let (memory, half) = (protected.memory, protected.memory.chunkCount / 2)
                // The scan leaves alone what a single thread has on its own node.
                let stop = Words(1)
                let other = try Thread { () throws(Failure) in while stop[0] == 0 {} }
                while true {
                    let wanted = try scans() + 3
                    while try scans() < wanted {}
                    if try faults(memory, from: 0) >= half { break }
                }
                try FileAccess.write("/proc/sys/kernel/numa_balancing", "0")
                let moved = try act(protected)
                if let moved {
                    let found = try faults(moved, from: 1)
                    try context.expect(found >= half, "\(found) hinting faults at \(half) hinted chunks")
                    try moved.check("at the end")
                }
                try protected.expectNoMessage("hinting faults")
                stop[0] = 1
                try other.join()
            }
        }
    }

    /// How often the whole address space was scanned for hinting.
    private static func scans() throws(Failure) -> Int {
        for line in try FileAccess.lines("/proc/self/sched") {
            let words = line.words
            if words.count == 3, words[0].isSame(as: "mm->numa_scan_seq") { return words[2].number ?? 0 }
        }
        throw Failure("/proc/self/sched has no mm->numa_scan_seq")
    }

    /// Reads every second chunk and tells how many page faults that took (getrusage(2)).
    private static func faults(_ memory: Memory, from first: Int) throws(Failure) -> Int {
        let thread = __rusage_who_t(rawValue: 1)  // RUSAGE_THREAD
        var (before, after) = (rusage(), rusage())
        _ = getrusage(thread, &before)
        for chunk in stride(from: first, to: memory.chunkCount, by: 2) { memory.load(memory.firstPage(chunk)) }
        _ = getrusage(thread, &after)
        return after.ru_minflt - before.ru_minflt
    }

    private static func underHinting(_ context: Context, async: Bool) throws(Failure) {
        let perHuge = context.kind.isTHP ? 1 : 64
        let protected = try Protected(context, async: async, chunks: 4 * perHuge)
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
        for page in [0, quarter - 8, quarter, 2 * quarter - 1] {
            if async {
                memory.load(page)
                try context.expect(try memory.isAccessed(page), "page \(page) is not accessed after an access")
            } else {
                try protected.expectPageTrap(page)
            }
        }
        try protected.uffd.readWriteProtect(memory.pages(last))
        if !async { try protected.expectPageTrap(last.lowerBound, .write(1), offset: 100) }
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
