// SPDX-License-Identifier: GPL-2.0-only

import CUserfaultfd
import Userfaultfd

/// khugepaged beside read-write protection (rule L7). `RWPCollapse` has what MADV_COLLAPSE does, which is not held to the
/// limits that khugepaged keeps to.
enum RWPKhugepaged {
    static let scenarios: [Scenario] = [
        Scenario(
            "rwp-khugepaged",
            "khugepaged makes no huge page of what has an armed page, present or swapped out, and does of the rest",
            rules: "L7 L1",
            on: [.anon, .shmem],
            needs: Need.rwp + [.file(scans, "CONFIG_TRANSPARENT_HUGEPAGE"), .swap, .root, .ownMachine],
            seconds: 60,
            scan
        )
    ]

    private static let scans: StaticString = "/sys/kernel/mm/transparent_hugepage/khugepaged/full_scans"

    private static func scan(_ context: Context) throws(Failure) {
        let first = try Protected(context, async: false)
        try first.showTrap()
        // The last has no arm. Of a file, that is one that is not tracked: page tables of those that are stay.
        var regions: [Protected] = []
        for _ in 0..<3 {
            let memory = try Memory.collapsible(context.kind)
            memory.fill()
            regions.append(Protected(first, memory: memory))
        }
        let (all, armed) = (0..<regions[0].memory.pages, 5)
        for (index, region) in regions.enumerated() where index < 2 || context.kind.isAnonymous {
            try first.uffd.register(region.memory.range, .readWriteProtect)
            if index < 2 { try region.arm(armed..<(armed + 1)) }
        }
        // A page of a file would lose its arm with its place in the page table.
        if context.kind.isAnonymous { try regions[1].memory.swapOut(armed..<(armed + 1)) }
        var views: [Memory] = []
        for region in regions {
            let view = context.kind.isAnonymous ? region.memory : try region.memory.collapsibleAlias()
            try view.advise(view.range, MADV_HUGEPAGE)
            views.append(view)
        }
        try GlobalSettings.set([
            // It sleeps for a minute where it gets no huge page.
            (GlobalSettings.collapseAllocationSleep, "0"),
            (GlobalSettings.collapsePages, "100000"),
            (GlobalSettings.collapseScanSleep, "0"),
        ])
        try waitHuge(views[2], all)
        // One that began before may be over soon; then comes a whole one.
        let wanted = try FileAccess.number(scans.text) + 2
        while try FileAccess.number(scans.text) < wanted { sched_yield() }
        for (index, region) in regions[0..<2].enumerated() {
            let memory = region.memory
            try context.expect(try !memory.isHuge(all), "khugepaged mapped armed memory \(index) huge")
            try region.expectArmedPages("after khugepaged") { $0 == armed }
            try context.expect(try memory.isAccessed(armed - 1), "the page before the armed one is not accessed")
            try region.expectPageTrap(armed)
            try memory.check("after khugepaged")
            // It was for the arm that it refused.
            if context.kind.isAnonymous { try waitHuge(memory, all) }
        }
        try regions[2].memory.check("what has no arm, after khugepaged")
        try first.expectNoMessage("at the end")
    }

    /// Accesses a memory until it is mapped huge: that of a file is once somebody accesses it.
    private static func waitHuge(_ memory: Memory, _ pages: Range<Int>) throws(Failure) {
        repeat {
            memory.load(0)
            sched_yield()
        } while try !memory.isHuge(pages)
    }
}
