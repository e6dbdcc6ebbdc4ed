// SPDX-License-Identifier: GPL-2.0-only

import CUserfaultfd
import Userfaultfd

/// Collapsing into huge pages beside what is armed: what is accessed, unpopulated, or the zero page stays so (rule L7).
enum RWPCollapse {
    static let scenarios: [Scenario] = [
        Scenario(
            "rwp-collapse-hole",
            "MADV_COLLAPSE of RWP memory fills no unpopulated address: it would be accessed then",
            rules: "L7 P1 S2",
            on: [.anon],
            needs: Need.rwp
        ) { (context) throws(Failure) in try gap(context, zero: false) },
        Scenario(
            "rwp-collapse-zero",
            "MADV_COLLAPSE never collapses over an armed zero page",
            rules: "L7 L1",
            on: [.anon],
            needs: Need.rwp
        ) { (context) throws(Failure) in try gap(context, zero: true) },
        Scenario(
            "rwp-collapse-accessed",
            "MADV_COLLAPSE of a file, by whomever, leaves accessed pages accessed beside armed ones",
            rules: "L7 S2",
            on: [.shmem],
            needs: Need.rwp,
            accessed
        ),
        Scenario(
            "rwp-collapse-private",
            "MADV_COLLAPSE of a file keeps what is armed and what is accessed in a private mapping of it",
            rules: "L7 S2",
            on: [.shmem],
            needs: Need.rwp,
            privateMapping
        ),
        Scenario(
            "rwp-trace-string",
            "the trace events of khugepaged name a page that keeps it from collapsing as they always did",
            rules: "S4",
            on: [.anon],
            needs: Need.rwp + [.file(traceFormat, "CONFIG_FTRACE and tracefs"), .root]
        ) { (context) throws(Failure) in
            try Protected(context, async: false).showTrap()
            let names = try FileAccess.lines(traceFormat.text).contains { $0.includes("\"pte_uffd_wp\"") }
            try context.expect(names, "\(traceFormat) has no pte_uffd_wp")
        },
        Scenario(
            "rwp-trace-event",
            "khugepaged traces that an armed page, present or swapped out, keeps it from collapsing",
            rules: "S4 L7",
            on: [.anon],
            needs: Need.rwp + [.file(traceFormat, "CONFIG_FTRACE and tracefs"), .swap, .root, .ownMachine],
            traceEvent
        ),
    ]

    private static let traceFormat: StaticString =
        "/sys/kernel/tracing/events/huge_memory/mm_khugepaged_scan_pmd/format"

    private static func gap(_ context: Context, zero: Bool) throws(Failure) {
        let first = try Protected(context, async: false)
        try first.showTrap()
        let memory = try Memory.collapsible(context.kind)
        let (all, gap) = (0..<memory.pages, 5)
        memory.fill(0..<gap)
        memory.fill((gap + 1)..<memory.pages)
        if zero { memory.load(gap) }
        try first.uffd.register(memory.range, .readWriteProtect)
        let protected = Protected(first, memory: memory)
        if zero { try protected.arm(gap..<(gap + 1)) }
        try memory.advise(memory.range, MADV_HUGEPAGE)
        memory.tryCollapse(all)
        let entry = try memory.entry(gap)
        try context.expect(entry.isPresent == zero, "the gap is \(entry.isPresent ? "" : "not ")populated")
        try context.expect(entry.isUffd == zero, "the gap is \(entry.isUffd ? "" : "not ")armed")
        try context.expect(try !memory.isAccessed(gap), "the gap is accessed")
        if zero { try protected.expectPageTrap(gap) } else { memory.load(gap) }
        try protected.expectNoMessage("access of the gap")
        try context.expect(try memory.isAccessed(gap), "the gap is not accessed after an access")
        try memory.checkZeroes(gap..<(gap + 1), "the gap")
        // It was for the gap that it refused.
        memory.fill(gap..<(gap + 1))
        memory.tryCollapse(all)
        try context.expect(try memory.isHuge(all), "MADV_COLLAPSE does not collapse unarmed pages")
        try memory.check("at the end")
    }

    private static func traceEvent(_ context: Context) throws(Failure) {
        let first = try Protected(context, async: false)
        try first.showTrap()
        let memory = try Memory.collapsible(context.kind)
        memory.fill()
        try first.uffd.register(memory.range, .readWriteProtect)
        let protected = Protected(first, memory: memory)
        try memory.advise(memory.range, MADV_HUGEPAGE)
        try GlobalSettings.set([(GlobalSettings.collapseTrace, "1")])
        // What the trace has of this process, of which MADV_COLLAPSE is the only cause.
        let refusals = { () throws(Failure) in
            try FileAccess.lines("/sys/kernel/tracing/trace").reduce(0) {
                $0 + ($1.includes("-\(getpid()) ") && $1.includes("status=pte_uffd_wp") ? 1 : 0)
            }
        }
        for isSwapped in [false, true] {
            try protected.arm(5..<6)
            if isSwapped { try memory.swapOut(5..<6) }
            let before = try refusals()
            memory.tryCollapse(0..<memory.pages)
            try context.expect(try refusals() > before, "the trace does not tell of an armed page")
            try protected.expectPageTrap(5)
        }
        let before = try refusals()
        memory.tryCollapse(0..<memory.pages)
        try context.expectEqual(try refusals(), before, "refusals for pages that are not armed")
        try memory.check("at the end")
    }

    private static func accessed(_ context: Context) throws(Failure) {
        let first = try Protected(context, async: true)
        try first.showTrap()
        let memory = try Memory.collapsible(context.kind)
        let other = try memory.collapsibleAlias()
        let all = 0..<memory.pages
        memory.fill()
        try first.uffd.register(memory.range, .readWriteProtect)
        let protected = Protected(first, memory: memory)
        try memory.advise(memory.range, MADV_HUGEPAGE)
        let touched = 0..<9
        for who in ["this process", "this process elsewhere", "another process"] {
            try protected.armAll()
            for page in touched { memory.load(page) }
            if who.isSame(as: "this process") {
                memory.tryCollapse(all)
            } else if who.isSame(as: "another process") {
                let child = try Child { () throws(Failure) in
                    other.tryCollapse(all)
                    return 0
                }
                try child.waitForSuccess()
            } else {
                other.tryCollapse(all)
            }
            try protected.expectAccessed(Array(touched), "after MADV_COLLAPSE by \(who)")
        }
        // It was for the tracking that it refused.
        try first.uffd.unregister(memory.range)
        try other.check("at the end")
        other.tryCollapse(all)
        try context.expect(try other.isHuge(all), "MADV_COLLAPSE does not collapse what is not registered")
        try memory.check("at the end")
    }

    private static func privateMapping(_ context: Context) throws(Failure) {
        let first = try Protected(context, async: false)
        try first.showTrap()
        let file = try Memory.collapsible(context.kind)
        let all = 0..<file.pages
        file.fill()
        try file.advise(file.range, MADV_HUGEPAGE)
        let room = try Memory(.anonTHP, pages: file.pages)
        let memory = try file.alias(shared: false).remapped(to: room.range.start)
        try memory.check("read from the file")
        try first.uffd.register(memory.range, .readWriteProtect)
        let protected = Protected(first, memory: memory)
        try protected.arm(7..<300)
        file.tryCollapse(all)
        try protected.expectAccessed(Array(0..<7) + Array(300..<file.pages), "after MADV_COLLAPSE of the file")
        try protected.expectTrap(7, .read)
        try protected.expectTrap(299, .write(1), offset: 100)
        try context.expectEqual(file.load(299, offset: 100), 0, "the byte in the file")
        try first.uffd.unregister(memory.range)
        try memory.check("at the end")
        // It was for the tracking that it refused.
        file.tryCollapse(all)
        try context.expect(try file.isHuge(all), "MADV_COLLAPSE does not collapse what is not registered")
        try file.check("at the end")
    }
}
