// SPDX-License-Identifier: GPL-2.0-only

import CUserfaultfd
import Userfaultfd

/// What takes a mapping of a file page away, so that the next access faults minor again.
extension Minor {
    static let dropScenarios: [Scenario] = [
        Scenario(
            "minor-dontneed",
            "After MADV_DONTNEED a mapped page faults minor again and has its data.",
            on: MemoryKind.shared,
            dontneed
        ),
        Scenario(
            "minor-reclaim",
            "A page that reclaim swapped out faults minor; CONTINUE brings it back.",
            on: [.shmem, .shmemTHP],
            needs: [.swap],
            reclaim
        ),
        Scenario(
            "minor-punch",
            "A page that was punched out of the file does not fault minor: without MISSING it is zeroes.",
            on: MemoryKind.shared,
            punch
        ),
        Scenario(
            "minor-close",
            "Closing the userfaultfd releases blocked threads, who find the file's data.",
            on: MemoryKind.files,
            close
        ),
    ]

    private static func expectMinor(
        _ context: Context,
        _ uffd: Userfaultfd,
        _ memory: Memory,
        _ page: Int
    ) throws(Failure) {
        let reader = try Access.read(memory, page)
        try context.expectFault(uffd, at: memory.address(page), .minor)
        try uffd.continue(memory.page(page))
        try reader.finish()
        try memory.check(page..<(page + 1), "after CONTINUE")
    }

    private static func dontneed(_ context: Context) throws(Failure) {
        let (uffd, memory, alias) = try open(context, pages: 3)
        alias.fill(0..<3)
        for page in 0..<3 { try expectMinor(context, uffd, memory, page) }
        for _ in 0..<2 {
            try memory.advise(memory.page(1), MADV_DONTNEED)
            try expectMinor(context, uffd, memory, 1)
        }
        try memory.check(0..<3, "after MADV_DONTNEED and CONTINUE")
        try context.expectNoMessage(uffd, "after accesses to mapped pages")
    }

    private static func reclaim(_ context: Context) throws(Failure) {
        let (uffd, memory, alias) = try open(context, pages: 3)
        alias.fill(0..<3)
        // MADV_PAGEOUT takes only what is mapped once.
        try alias.advise(alias.range, MADV_DONTNEED)
        for page in 0..<3 { try expectMinor(context, uffd, memory, page) }
        memory.store(1, offset: 64, 5)
        try memory.swapOut(0..<3)
        for page in 0..<3 { try expectMinor(context, uffd, memory, page) }
        try context.expectEqual(memory.load(1, offset: 64), 5, "byte written before the swap-out")
        try context.expectNoMessage(uffd, "after accesses to mapped pages")
        try alias.check(0..<3, "the file after all")
    }

    private static func punch(_ context: Context) throws(Failure) {
        let (uffd, memory, alias) = try open(context, pages: 3)
        alias.fill(0..<3)
        for page in 0..<3 { try expectMinor(context, uffd, memory, page) }
        try memory.punchHole(memory.page(1))
        if context.kind != .shmemTHP {
            try memory.checkZeroes(1..<2, "after the punch")
            try context.expectNoMessage(uffd, "after an access to a hole")
        } else {
            // The punch only cleared a part of the huge page, which is still in the file.
            let alias = try memory.alias()
            try alias.checkZeroes(1..<2, "after the punch")
        }
        try memory.check(0..<1, "before the hole")
        try memory.check(2..<3, "behind the hole")
    }

    private static func close(_ context: Context) throws(Failure) {
        let (uffd, memory, alias) = try open(context, pages: 2)
        alias.fill(0..<2)
        let reader = try Access.read(memory, 0, offset: 64)
        try context.expectFault(uffd, at: memory.address(0), .minor)
        let unread = try Access.write(memory, 1, offset: 64, 6)
        try uffd.waitForPending(1)
        uffd.close()
        try context.expectEqual(reader.finish(), 0, "byte read beside the pattern")
        try unread.finish()
        try memory.check(0..<2, "after close(2)")
        try context.expectEqual(memory.load(1, offset: 64), 6, "byte written")
    }
}
