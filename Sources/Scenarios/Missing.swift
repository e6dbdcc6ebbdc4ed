// SPDX-License-Identifier: GPL-2.0-only

import CUserfaultfd
import Userfaultfd

/// MISSING mode: faults on addresses without a page (userfaultfd(2), ioctl_userfaultfd(2)).
enum Missing {
    static let scenarios: [Scenario] =
        [
            Scenario(
                "missing-message",
                "The message tells address and access; EXACT_ADDRESS and THREAD_ID add what they promise.",
                on: MemoryKind.all,
                message
            ),
            Scenario(
                "missing-waiters-one-page",
                "Two threads blocked on one page each send a message, and one COPY wakes both.",
                on: MemoryKind.all,
                waitersOnOnePage
            ),
            Scenario(
                "missing-waiters-two-pages",
                "COPY of one page leaves the waiter on the next page asleep; a COPY of two pages wakes both.",
                on: MemoryKind.all,
                waitersOnTwoPages
            ),
            Scenario(
                "missing-poll",
                "poll(2) is readable exactly while a message is unread, and is an error on a blocking descriptor.",
                on: [.anon, .shmem, .hugetlb],
                poll
            ),
            Scenario(
                "missing-blocking-read",
                "A read of a blocking descriptor sleeps until there is a message.",
                on: [.anon],
                blockingRead
            ),
        ] + fillScenarios + kernelScenarios + endScenarios + dropScenarios + loadScenarios

    /// Opens a userfaultfd and registers the whole memory for MISSING.
    static func register(_ memory: Memory, features: Features = []) throws(Failure) -> Userfaultfd {
        let uffd = try Userfaultfd(features: features)
        try uffd.register(memory.range, .missing)
        return uffd
    }

    private static func message(_ context: Context) throws(Failure) {
        let memory = try Memory(context.kind, pages: 4)
        let offset: UInt = 0x123
        let rounded = try register(memory)
        try traps(context, rounded, memory, page: 0, offset, at: memory.address(0), withThread: false)
        rounded.close()

        let exact = try register(memory, features: [.exactAddress, .threadID])
        try traps(context, exact, memory, page: 2, offset, at: memory.address(2) + offset, withThread: true)
    }

    /// Reads a page and writes the next, and checks the message of each.
    private static func traps(
        _ context: Context,
        _ uffd: Userfaultfd,
        _ memory: Memory,
        page: Int,
        _ offset: UInt,
        at address: UInt,
        withThread: Bool
    ) throws(Failure) {
        let reader = try Access.read(memory, page, offset: offset)
        var message = try uffd.next()
        var thread = withThread ? UInt32(reader.kernelID) : 0
        try context.expect(
            message == .pageFault(address: address, flags: [], thread: thread),
            "read: \(message.description)"
        )
        try uffd.copyPattern(memory, page)
        try context.expectEqual(reader.finish(), 0, "byte read beside the pattern")

        let writer = try Access.write(memory, page + 1, offset: offset, 0xA5)
        message = try uffd.next()
        thread = withThread ? UInt32(writer.kernelID) : 0
        try context.expect(
            message == .pageFault(address: address + memory.pageSize, flags: .write, thread: thread),
            "write: \(message.description)"
        )
        context.sawTrap()
        try uffd.copyPattern(memory, page + 1)
        try writer.finish()
        try context.expectEqual(memory.load(page + 1, offset: offset), 0xA5, "byte written")
        try memory.check(page..<(page + 2), "after COPY")
        try context.expectNoMessage(uffd, "after both were resolved")
    }

    private static func waitersOnOnePage(_ context: Context) throws(Failure) {
        let memory = try Memory(context.kind, pages: 2)
        let uffd = try register(memory)
        let reader = try Access.read(memory, 1, offset: memory.pageSize - 1)
        try context.expectFault(uffd, at: memory.address(1), [])
        let writer = try Access.write(memory, 1, offset: 64, 7)
        try context.expectFault(uffd, at: memory.address(1), .write)
        try context.expectWaiters(uffd, 2, "before COPY")
        try uffd.copyPattern(memory, 1)
        try reader.finish()
        try writer.finish()
        try context.expectWaiters(uffd, 0, "after COPY")
        try context.expectEqual(memory.load(1, offset: 64), 7, "byte written")
        try memory.check(1..<2, "after COPY")
    }

    private static func waitersOnTwoPages(_ context: Context) throws(Failure) {
        let memory = try Memory(context.kind, pages: 4)
        let uffd = try register(memory)
        let first = try Access.read(memory, 1)
        try context.expectFault(uffd, at: memory.address(1), [])
        let second = try Access.read(memory, 2)
        try context.expectFault(uffd, at: memory.address(2), [])
        try uffd.copyPattern(memory, 1)
        try first.finish()
        try context.expectWaiters(uffd, 1, "after COPY of the page before")
        try uffd.copyPattern(memory, 3)
        try context.expectWaiters(uffd, 1, "after COPY of the page behind")
        try context.expect(!second.isFinished, "the access to an unresolved page went on")
        try uffd.copyPattern(memory, 2)
        try second.finish()
        try memory.check(1..<4, "after COPY")

        // Resolved together, from a fresh mapping.
        let both = try Memory(context.kind, pages: 2)
        try uffd.register(both.range, .missing)
        let low = try Access.read(both, 0)
        try context.expectFault(uffd, at: both.address(0), [])
        let high = try Access.write(both, 1, offset: 64, 9)
        try context.expectFault(uffd, at: both.address(1), .write)
        let source = try Memory(.anon, pages: Int(both.range.length / basePageSize))
        source.fill(seed: 3)
        try uffd.copy(to: both.pages(0..<2), from: source.range.start)
        try low.finish()
        try high.finish()
        try context.expectEqual(both.load(1, offset: 64), 9, "byte written")
        for base in 0..<Int(2 * both.pageSize / basePageSize) {
            let address = UInt(base) * basePageSize
            try context.expectEqual(
                cuffd_load64(both.range.start + address),
                cuffd_load64(source.range.start + address),
                "first word of base page \(base)"
            )
        }
    }

    private static func poll(_ context: Context) throws(Failure) {
        let memory = try Memory(context.kind, pages: 2)
        let uffd = try register(memory)
        try context.expectEqual(waitReadable(uffd.descriptor, milliseconds: 0), 0, "revents before any fault")
        try context.expectNoMessage(uffd, "before any fault")
        let reader = try Access.read(memory, 0)
        try context.expectEqual(waitReadable(uffd.descriptor, milliseconds: -1), POLLIN, "revents with a message")
        try context.expectFault(uffd, at: memory.address(0), [])
        try context.expectEqual(waitReadable(uffd.descriptor, milliseconds: 0), 0, "revents after the read")
        try uffd.copyPattern(memory, 0)
        try reader.finish()

        let blocking = try Userfaultfd(features: [], flags: [])
        try context.expectEqual(waitReadable(blocking.descriptor, milliseconds: 0), POLLERR, "revents when blocking")
    }

    private static func blockingRead(_ context: Context) throws(Failure) {
        let memory = try Memory(context.kind, pages: 2)
        let uffd = try Userfaultfd(features: [], flags: [])
        try uffd.register(memory.range, .missing)
        let seen = Words(1)
        let monitor = try Thread { () throws(Failure) in
            guard case .pageFault(let address, _, _)? = try uffd.poll() else {
                throw Failure("a read of a blocking descriptor returned without a fault")
            }
            seen[0] = UInt64(address)
            try uffd.copyPattern(memory, 1)
        }
        try context.expectEqual(memory.load(1, offset: 64), 0, "byte beside the pattern")
        try monitor.join()
        try context.expectEqual(seen[0], UInt64(memory.address(1)), "address of the fault")
        context.sawTrap()
        try memory.check(1..<2, "after COPY")
    }
}
