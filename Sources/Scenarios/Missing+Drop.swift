// SPDX-License-Identifier: GPL-2.0-only

import CUserfaultfd
import Userfaultfd

/// What makes a populated address missing, and what does not.
extension Missing {
    static let dropScenarios: [Scenario] = [
        Scenario(
            "missing-dontneed",
            "After MADV_DONTNEED an anonymous page is missing again; a shared file page is still in its file.",
            on: MemoryKind.all,
            dontneed
        ),
        Scenario(
            "missing-punch",
            "After a hole was punched into the file its pages are missing again.",
            on: MemoryKind.shared,
            punch
        ),
        Scenario(
            "missing-truncate",
            "Beyond a truncated file's end an access raises SIGBUS and no message; extended again, pages are missing.",
            on: MemoryKind.shared,
            truncate
        ),
        Scenario(
            "missing-thp",
            "A fault resolved by COPY maps one base page, and MADV_COLLAPSE does not fill the holes beside it.",
            on: [.anonTHP, .shmemTHP],
            needs: [.pagemapScan],
            thp
        ),
        Scenario(
            "missing-swap",
            "A page that is swapped out is not missing.",
            on: MemoryKind.swappable,
            needs: [.swap],
            swap
        ),
        Scenario(
            "missing-fork",
            "Without EVENT_FORK a child's copy is not registered: it finds zeroes where the parent still traps.",
            on: [.anon, .anonTHP, .hugetlbPrivate],
            fork
        ),
    ]

    private static func expectMissing(
        _ context: Context,
        _ uffd: Userfaultfd,
        _ memory: Memory,
        _ page: Int,
        seed: UInt64
    ) throws(Failure) {
        let reader = try Access.read(memory, page)
        try context.expectFault(uffd, at: memory.address(page), [])
        try uffd.copyPattern(memory, page, seed: seed)
        try reader.finish()
        try memory.check(page..<(page + 1), seed: seed, "after COPY of seed \(seed)")
    }

    private static func dontneed(_ context: Context) throws(Failure) {
        let memory = try Memory(context.kind, pages: 3)
        let uffd = try register(memory)
        for page in 0..<3 { try expectMissing(context, uffd, memory, page, seed: 1) }
        try memory.advise(memory.page(1), MADV_DONTNEED)
        try context.expect(!memory.entry(1).isPresent, "MADV_DONTNEED left a page")
        if context.kind.isShared {
            try memory.check(0..<3, "after MADV_DONTNEED")
        } else {
            try expectMissing(context, uffd, memory, 1, seed: 2)
            try memory.check(0..<1, "before the page dropped")
            try memory.check(2..<3, "behind the page dropped")
        }
        try context.expectNoMessage(uffd, "after accesses to populated pages")
    }

    private static func punch(_ context: Context) throws(Failure) {
        let memory = try Memory(context.kind, pages: 4)
        let uffd = try register(memory)
        for page in 0..<4 { try uffd.copyPattern(memory, page) }
        try memory.punchHole(memory.page(1))
        try expectMissing(context, uffd, memory, 1, seed: 2)
        try memory.advise(memory.page(2), MADV_REMOVE)
        try expectMissing(context, uffd, memory, 2, seed: 3)
        try memory.check(0..<1, "before the holes")
        try memory.check(3..<4, "behind the holes")
        try context.expectNoMessage(uffd, "after accesses to populated pages")
    }

    private static func truncate(_ context: Context) throws(Failure) {
        let unit = context.kind.isTHP ? try Memory.hugePageSize(context.kind) : 0
        let memory = try Memory(context.kind, pages: 2)
        let uffd = try register(memory)
        let last = unit > 0 ? memory.pages - 1 : 1
        for page in [0, last] { try expectMissing(context, uffd, memory, page, seed: 1) }
        try checked("ftruncate", ftruncate(memory.descriptor, Int(memory.pageSize)))
        let probe = Probe.read(memory.address(last))
        try context.expectEqual(probe.signal, SIGBUS, "signal of an access beyond the end of the file")
        try context.expectNoMessage(uffd, "after an access beyond the end of the file")
        try memory.check(0..<1, "the page that the file kept")
        try checked("ftruncate", ftruncate(memory.descriptor, Int(memory.range.length)))
        try expectMissing(context, uffd, memory, last, seed: 2)
        try memory.check(0..<1, "the page that the file kept")
    }

    private static func thp(_ context: Context) throws(Failure) {
        let memory = try Memory(context.kind, pages: 1)
        let uffd = try register(memory)
        let hole = memory.pages / 2
        try expectMissing(context, uffd, memory, 0, seed: 1)
        for page in [1, hole - 1, hole + 1, memory.pages - 1] {
            try context.expect(!memory.entry(page).isPresent, "COPY of page 0 filled page \(page)")
        }
        for page in 1..<memory.pages where page != hole { try uffd.copyPattern(memory, page) }
        let collapse: Int32 = 25  // MADV_COLLAPSE, 6.1
        let collapsed = madvise(
            UnsafeMutableRawPointer(bitPattern: memory.range.start),
            Int(memory.range.length),
            collapse
        )
        try context.expectEqual(collapsed, -1, "MADV_COLLAPSE over a missing page")
        try context.expect(!memory.isHuge(0..<memory.pages), "MADV_COLLAPSE made a huge page over a missing one")
        try expectMissing(context, uffd, memory, hole, seed: 1)
        try memory.check("after MADV_COLLAPSE and COPY")
        try context.expectNoMessage(uffd, "after all pages were populated")
    }

    private static func swap(_ context: Context) throws(Failure) {
        let memory = try Memory(context.kind, pages: 4)
        let uffd = try register(memory)
        for page in 0..<3 { try uffd.copyPattern(memory, page) }
        try memory.swapOut(0..<3)
        try memory.check(0..<3, "after a swap-out")
        memory.store(0, offset: 64, 1)
        try context.expectNoMessage(uffd, "after accesses to swapped pages")
        try expectMissing(context, uffd, memory, 3, seed: 1)
        try memory.swapOut(3..<4)
        try uffd.unregister(memory.range)
        try memory.check(0..<4, "after UNREGISTER")
    }

    private static func fork(_ context: Context) throws(Failure) {
        let memory = try Memory(context.kind, pages: 2)
        let uffd = try register(memory)
        try uffd.copyPattern(memory, 0)
        let child = try Child { () throws(Failure) in
            try memory.check(0..<1, "the page that the child inherited")
            try memory.checkZeroes(1..<2, "the page that was missing at the time of fork")
            memory.fill(0..<2, seed: 7)
            try memory.check(0..<2, seed: 7, "what the child wrote")
            return 0
        }
        try child.waitForSuccess()
        try context.expectNoMessage(uffd, "after the child's accesses")
        try memory.check(0..<1, "the parent's page")
        try expectMissing(context, uffd, memory, 1, seed: 2)
    }
}
