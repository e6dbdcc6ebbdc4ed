// SPDX-License-Identifier: GPL-2.0-only

import CUserfaultfd
import Userfaultfd

/// NUMA balancing beside read-write protection: both make entries protnone, and neither may touch the other's (rule F4).
enum RWPNuma {
    static let scenarios: [Scenario] = [
        hinting("rwp-numa-hinting", rules: "F4 P1 P2 F1 S2", async: false),
        hinting("rwp-numa-hinting-async", rules: "F4 P1 P2 F2 S2", async: true),
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

    private static let needs: [Need] = Need.rwp + Hinting.needs

    private static func hinting(_ name: StaticString, rules: StaticString, async: Bool) -> Scenario {
        Scenario(
            name,
            "hinting faults on unarmed pages are counted and never delivered; armed pages stay armed",
            rules: rules,
            on: Hinting.kinds,
            needs: needs,
            seconds: 60
        ) { (context) throws(Failure) in
            try Protected(context, async: false).showTrap()
            try Hinting.often { () throws(Failure) in try underHinting(context, async: async) }
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
        Scenario(name, what, rules: rules, on: Hinting.kinds, needs: needs, seconds: 60) { (context) throws(Failure) in
            try Protected(context, async: false).showTrap()
            try Hinting.often { () throws(Failure) in
                let protected = try Protected(context, async: false, chunks: context.kind.isTHP ? 8 : 128)
                let (memory, half) = (protected.memory, protected.memory.chunkCount / 2)
                // The scan leaves alone what a single thread has on its own node.
                let stop = Words(1)
                let other = try Thread { () throws(Failure) in while stop[0] == 0 {} }
                while true {
                    let wanted = try Hinting.scans() + 3
                    while try Hinting.scans() < wanted {}
                    if try faults(memory, from: 0) >= half { break }
                }
                try FileAccess.write("/proc/sys/kernel/numa_balancing", "0")
                try protected.expectAccessed(Array(0..<memory.chunkCount), "hinted")
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
        let last = 3 * quarter..<memory.pages
        try Hinting.under(memory, pages: last.lowerBound) { page, walker, round in
            if !isArmed(page) { memory.store(page, offset: 64 + UInt(walker), round) }
        } check: { () throws(Failure) in
            try protected.expectArmedPages("under hinting", isArmed)
            for (page, isAccessed) in try memory.accessedPages().enumerated() where isAccessed == isArmed(page) {
                throw Failure("page \(page) is \(isAccessed ? "" : "not ")accessed, under hinting")
            }
            try protected.expectNoMessage("under hinting")
            for arms in [true, false] {
                try protected.uffd.readWriteProtect(memory.pages(last), arms)
                try protected.expectArmedPages("armed under hinting") { last.contains($0) ? arms : isArmed($0) }
            }
        }
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
}
