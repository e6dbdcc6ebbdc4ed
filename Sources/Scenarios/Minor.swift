// SPDX-License-Identifier: GPL-2.0-only

import CUserfaultfd
import Userfaultfd

/// MINOR mode: faults on addresses without a page-table entry whose page is in the page cache
/// (`Documentation/admin-guide/mm/userfaultfd.rst`).
enum Minor {
    static let scenarios: [Scenario] =
        [
            Scenario(
                "minor-message",
                "An access to a page of the file that is not mapped sends MINOR; CONTINUE maps what the file has.",
                on: MemoryKind.files,
                message
            ),
            Scenario(
                "minor-modified",
                "What a monitor writes through its own mapping before CONTINUE is what the blocked thread reads.",
                on: MemoryKind.files,
                modified
            ),
            Scenario(
                "minor-frame",
                "CONTINUE maps the very frame that the other mapping has, for writes as well.",
                on: MemoryKind.files,
                needs: [.root],
                frame
            ),
            Scenario(
                "minor-private",
                "A write to a private mapping after CONTINUE copies: the file keeps its data.",
                on: [.shmemPrivate, .hugetlbPrivate],
                privateCopy
            ),
            Scenario(
                "minor-missing",
                "With MINOR and MISSING the message tells a page of the file from a hole.",
                on: MemoryKind.files,
                missing
            ),
            Scenario(
                "minor-refused",
                "Anonymous memory has no page cache: MINOR is EINVAL, alone and with MISSING.",
                on: MemoryKind.anonymous,
                traps: false,
                refused
            ),
            Scenario(
                "minor-load",
                "Threads on all pages find what one handler thread writes to the file before it maps each.",
                on: MemoryKind.shared,
                seconds: 60,
                load
            ),
        ] + continueScenarios + dropScenarios

    /// A memory that is registered for MINOR, and a shared mapping of its file through which to fill it.
    static func open(
        _ context: Context,
        pages: Int,
        _ mode: RegisterMode = .minor,
        features: Features = []
    ) throws(Failure) -> (uffd: Userfaultfd, memory: Memory, alias: Memory) {
        let memory = try Memory(context.kind, pages: pages)
        let uffd = try Userfaultfd(features: features)
        let ioctls = try uffd.register(memory.range, mode)
        try context.expect(ioctls.contains(.continue), "REGISTER for MINOR does not offer CONTINUE")
        return (uffd, memory, try memory.alias())
    }

    private static func message(_ context: Context) throws(Failure) {
        let (uffd, memory, alias) = try open(context, pages: 3)
        alias.fill(0..<3)
        let reader = try Access.read(memory, 1, offset: 0x123)
        try context.expectFault(uffd, at: memory.address(1), .minor)
        try context.expectWaiters(uffd, 1, "before CONTINUE")
        try uffd.continue(memory.page(1))
        try reader.finish()
        try memory.check(1..<2, "after CONTINUE")
        try context.expect(!memory.entry(0).isPresent, "CONTINUE of page 1 mapped page 0")
        try context.expect(!memory.entry(2).isPresent, "CONTINUE of page 1 mapped page 2")
        try context.expectNoMessage(uffd, "after accesses to a mapped page")
        uffd.close()

        let exact = try Userfaultfd(features: [.exactAddress, .threadID])
        try exact.register(memory.range, .minor)
        let writer = try Access.write(memory, 2, offset: 0x123, 9)
        let message = try exact.next()
        let thread = UInt32(writer.kernelID)
        let expected = Message.pageFault(address: memory.address(2) + 0x123, flags: [.minor, .write], thread: thread)
        try context.expect(message == expected, "write: \(message.description)")
        try exact.continue(memory.page(2))
        // A private mapping takes a write fault of its own now, which is not MINOR's.
        try writer.finish()
        try context.expectEqual(memory.load(2, offset: 0x123), 9, "byte written")
        try memory.check(1..<3, "after CONTINUE")
        try context.expectNoMessage(exact, "after accesses to mapped pages")
    }

    private static func modified(_ context: Context) throws(Failure) {
        let (uffd, memory, alias) = try open(context, pages: 2)
        alias.fill(0..<2)
        let reader = try Access.read(memory, 1, offset: 64)
        try context.expectFault(uffd, at: memory.address(1), .minor)
        alias.fill(1..<2, seed: 2)
        alias.store(1, offset: 64, 0x5A)
        try uffd.continue(memory.page(1))
        try context.expectEqual(reader.finish(), 0x5A, "byte read")
        try memory.check(1..<2, seed: 2, "after CONTINUE")
        alias.store(1, offset: 65, 0x5B)
        try context.expectEqual(memory.load(1, offset: 65), 0x5B, "byte that the monitor wrote after CONTINUE")
    }

    private static func frame(_ context: Context) throws(Failure) {
        let (uffd, memory, alias) = try open(context, pages: 3)
        alias.fill(0..<3)
        let writer = try Access.write(memory, 1, offset: 64, 1)
        try context.expectFault(uffd, at: memory.address(1), [.minor, .write])
        try uffd.continue(memory.pages(0..<3))
        try writer.finish()
        for page in 0..<3 {
            let copied = page == 1 && !context.kind.isShared
            let (mine, theirs) = try (memory.entry(page).frame, alias.entry(page).frame)
            try context.expect(mine != 0 && theirs != 0, "page \(page) is not mapped twice")
            try context.expect((mine == theirs) != copied, "page \(page): frames \(mine) and \(theirs)")
        }
        try memory.check(0..<3, "after CONTINUE")
        try alias.check(0..<3, "the file after CONTINUE")
        if context.kind.isShared {
            try context.expectEqual(alias.load(1, offset: 64), 1, "byte written, seen in the file")
        }
    }

    private static func privateCopy(_ context: Context) throws(Failure) {
        let (uffd, memory, alias) = try open(context, pages: 2)
        alias.fill(0..<2)
        let reader = try Access.read(memory, 0)
        try context.expectFault(uffd, at: memory.address(0), .minor)
        try uffd.continue(memory.page(0))
        try reader.finish()
        memory.fill(0..<1, seed: 2)
        try memory.check(0..<1, seed: 2, "the private copy")
        try alias.check(0..<1, "the file")
        try memory.advise(memory.page(0), MADV_DONTNEED)
        let again = try Access.read(memory, 0)
        try context.expectFault(uffd, at: memory.address(0), .minor)
        try uffd.continue(memory.page(0))
        try again.finish()
        try memory.check(0..<1, "after the private copy was dropped")
    }

    private static func missing(_ context: Context) throws(Failure) {
        let (uffd, memory, alias) = try open(context, pages: 4, [.minor, .missing])
        alias.fill(1..<2)
        alias.fill(3..<4)
        for (page, flags) in [(0, FaultFlags.write), (1, .minor), (2, []), (3, [.minor, .write])] {
            // A huge page of shmem fills its whole range of the file at once.
            if context.kind == .shmemTHP && !flags.contains(.minor) { continue }
            let access =
                flags.contains(.write)
                ? try Access.write(memory, page, offset: 64, 1) : try Access.read(memory, page)
            try context.expectFault(uffd, at: memory.address(page), flags)
            if flags.contains(.minor) {
                try uffd.continue(memory.page(page))
            } else {
                try context.expectErrno(.fault, "CONTINUE of a hole") { () throws(Failure) in
                    try uffd.continue(memory.page(page))
                }
                try uffd.copyPattern(memory, page)
            }
            try access.finish()
            try memory.check(page..<(page + 1), "after its fault was resolved")
        }
        try context.expectNoMessage(uffd, "after all were resolved")
    }

    private static func refused(_ context: Context) throws(Failure) {
        let memory = try Memory(context.kind, pages: 1)
        let uffd = try Userfaultfd(features: [])
        for mode: RegisterMode in [.minor, [.minor, .missing], [.minor, .missing, .writeProtect]] {
            try context.expectErrno(.invalid, "REGISTER for mode \(mode.rawValue)") { () throws(Failure) in
                try uffd.register(memory.range, mode)
            }
        }
        memory.fill()
        try memory.check("after refused registrations")
    }

    private static func load(_ context: Context) throws(Failure) {
        let count = context.kind.isHugetlb ? 4 : 64
        let (uffd, memory, alias) = try open(context, pages: count)
        alias.fill(0..<count, seed: 9)
        try context.fault(on: memory, first: count, uffd, .minor) { page throws(Failure) in
            alias.fill(page..<(page + 1))
            try uffd.continue(memory.page(page))
        }
        try alias.check(0..<count, "the file after all threads")
        for page in 0..<count {
            for index in 0..<4 {
                try context.expectEqual(alias.load(page, offset: 64 + UInt(index)), UInt8(index + 1), "mark")
            }
        }
    }
}
