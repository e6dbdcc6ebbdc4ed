// SPDX-License-Identifier: GPL-2.0-only

import CUserfaultfd
import Userfaultfd

/// What a message says, who it wakes, and what comes before the first arm (rules F1, P1, P5).
enum RWPMessages {
    static let scenarios: [Scenario] = [
        Scenario(
            "rwp-message-exact",
            "EXACT_ADDRESS gives the very byte, THREAD_ID the thread; without them the page, and no thread",
            rules: "F1",
            on: MemoryKind.all,
            needs: Need.rwp + [.features([.exactAddress, .threadID])],
            exact
        ),
        Scenario(
            "rwp-message-wake",
            "a waiter that is woken while its page is armed waits again, with a second message",
            rules: "F1 P2",
            on: MemoryKind.all,
            needs: Need.rwp,
            wake
        ),
        Scenario(
            "rwp-message-neighbour",
            "in the middle of a huge page, resolving a neighbour wakes nobody; resolving the page does",
            rules: "P5 P2",
            on: [.anonTHP, .shmemTHP],
            needs: Need.rwp,
            neighbour
        ),
        Scenario(
            "rwp-message-missing",
            "MISSING and RWP on one VMA: each access gives the message that is due",
            rules: "G1 F1 P1",
            on: MemoryKind.all,
            needs: Need.rwp,
            missing
        ),
        Scenario(
            "rwp-message-minor",
            "MINOR and RWP on one VMA: each access gives the message that is due",
            rules: "G1 F1 P1 L2",
            on: [.shmem, .hugetlb],
            needs: Need.rwp + [.features([.minorShmem, .minorHugetlbfs])],
            minor
        ),
        Scenario(
            "rwp-message-unread",
            "resolving releases a waiter whose message nobody has read",
            rules: "P2",
            on: MemoryKind.all,
            needs: Need.rwp,
            unread
        ),
        Scenario(
            "rwp-message-several",
            "one read(2) takes all messages there are; of a blocking descriptor it waits for the first",
            rules: "F1",
            on: MemoryKind.all,
            needs: Need.rwp,
            several
        ),
        Scenario(
            "rwp-message-async-missing",
            "asynchronous mode answers traps, and leaves MISSING to the monitor",
            rules: "F2 G1",
            on: MemoryKind.all,
            needs: Need.rwp,
            asyncMissing
        ),
    ]

    private static func exact(_ context: Context) throws(Failure) {
        let exact = try Protected(context, async: false, features: [.exactAddress, .threadID])
        let plain = try Protected(context, async: false)
        for (protected, isExact) in [(exact, true), (plain, false)] {
            let memory = protected.memory
            try protected.armAll()
            let offset = memory.chunkSize - 100
            let thread = try protected.touch(1, .write(1), offset: offset)
            guard case .pageFault(let address, let flags, let id) = try protected.uffd.next() else {
                throw Failure("expected a page fault")
            }
            context.sawTrap()
            try context.expect(flags == [.readWriteProtect, .write], "flags \(flags.rawValue)")
            let byte = memory.chunk(1).start + offset
            let page = byte / memory.pageSize * memory.pageSize
            try context.expectEqual(address, isExact ? byte : page, "address of the message")
            try context.expectEqual(id, isExact ? UInt32(thread.kernelID) : 0, "thread of the message")
            try protected.resolve(0..<4)
            try thread.join()
            try memory.check("at the end")
        }
    }

    private static func wake(_ context: Context) throws(Failure) {
        let protected = try Protected(context, async: false)
        try protected.armAll()
        let thread = try protected.touch(1)
        for _ in 0..<3 {
            try protected.expectMessage(1, .read)
            try protected.uffd.wake(protected.memory.chunk(1))
        }
        try protected.expectMessage(1, .read)
        try protected.resolve(1..<2)
        try thread.join()
        try protected.expectNoMessage("after resolving")
    }

    private static func neighbour(_ context: Context) throws(Failure) {
        let protected = try Protected(context, async: false, chunks: 1)
        let memory = protected.memory
        try protected.armAll()
        let thread = try Thread { () throws(Failure) in memory.load(100, offset: 8) }
        let fault = try protected.uffd.nextFault()
        try context.expectEqual(fault.address, memory.address(100), "address of the message")
        context.sawTrap()
        for page in [99, 101] {
            try protected.uffd.readWriteProtect(memory.page(page), false)
            try context.expectAsleep(protected.uffd, 1)
        }
        try protected.uffd.readWriteProtect(memory.page(100), false)
        try thread.join()
        try protected.expectArmedPages("three resolved") { !(99...101).contains($0) }
        try protected.resolve(0..<1)
        try memory.check("at the end")
    }

    private static func missing(_ context: Context) throws(Failure) {
        let protected = try Protected(context, async: false, mode: [.readWriteProtect, .missing], populated: false)
        let memory = protected.memory
        try protected.uffd.readWriteProtect(memory.range)
        let page = memory.firstPage(1)
        for access in [Protected.Access.read, .write(0)] {
            let thread = try protected.touch(1, access, offset: 64)
            var flags: FaultFlags = []
            if case .write = access { flags = .write }
            try context.expectFault(protected.uffd, at: memory.address(page), flags)
            try protected.uffd.copyPattern(memory, page)
            try thread.join()
            try protected.uffd.readWriteProtect(memory.page(page))
            try protected.expectTrap(1, access, offset: 64)
            try memory.check(page..<(page + 1), "copied, armed and resolved")
            try protected.uffd.readWriteProtect(memory.page(page))
            try memory.advise(memory.page(page), MADV_DONTNEED)
            if context.kind.isShared { try memory.punchHole(memory.page(page)) }
        }
        try protected.expectNoMessage("at the end")
    }

    private static func minor(_ context: Context) throws(Failure) {
        let protected = try Protected(context, async: false, mode: [.readWriteProtect, .minor])
        let memory = protected.memory
        try protected.showTrap()
        try protected.armAll()
        try memory.advise(memory.chunk(1), MADV_DONTNEED)
        let thread = try protected.touch(1)
        try context.expectFault(protected.uffd, at: memory.address(1), .minor)
        try protected.uffd.continue(memory.chunk(1))
        try thread.join()
        try protected.expectAccessed([1], "continued")
        try protected.arm(1..<2)
        try protected.expectTrap(1, .read)
        try protected.resolve(0..<4)
        try memory.check("at the end")
    }

    private static func unread(_ context: Context) throws(Failure) {
        let protected = try Protected(context, async: false)
        try protected.showTrap()
        try protected.armAll()
        let waiters = [try protected.touch(1), try protected.touch(2, .write(1), offset: 100)]
        try protected.uffd.waitForPending(2)
        for waiter in waiters { try waitAsleep(waiter) }
        try protected.resolve(0..<4)
        for waiter in waiters { try waiter.join() }
        try protected.expectNoMessage("after the waiters went on")
        try protected.memory.check("at the end")
    }

    private static func several(_ context: Context) throws(Failure) {
        let protected = try Protected(context, async: false)
        let memory = protected.memory
        try protected.armAll()
        var (waiters, expected): ([Thread], [Message]) = ([], [])
        for chunk in 0..<3 {
            let access = chunk == 1 ? Protected.Access.write(1) : .read
            waiters.append(try protected.touch(chunk, access, offset: 100))
            try protected.uffd.waitForPending(chunk + 1)
            let flags: FaultFlags = chunk == 1 ? [.readWriteProtect, .write] : .readWriteProtect
            expected.append(.pageFault(address: memory.chunk(chunk).start, flags: flags, thread: 0))
        }
        let messages = try protected.uffd.poll(upTo: 4)
        try context.expect(messages == expected, "\(messages.count) messages, or not those of the three")
        context.sawTrap()
        try protected.resolve(0..<3)
        for waiter in waiters { try waiter.join() }
        try protected.expectNoMessage("after resolving")

        let blocking = try Protected(context, async: false, flags: [])
        try blocking.armAll()
        let monitor = try Thread { () throws(Failure) in
            try blocking.expectMessage(1, .read)
            try blocking.resolve(1..<2)
        }
        try waitAsleep(monitor)
        blocking.memory.load(blocking.memory.firstPage(1))
        try monitor.join()
        try blocking.expectAccessed([1], "after one trap")
    }

    private static func asyncMissing(_ context: Context) throws(Failure) {
        let protected = try Protected(context, async: true, mode: [.readWriteProtect, .missing], populated: false)
        let memory = protected.memory
        for page in 0..<2 { try protected.uffd.copyPattern(memory, page) }
        let armed = memory.pages(0..<2)
        try protected.uffd.readWriteProtect(armed)
        for isArmed in [true, false] {
            for page in 0..<2 { try context.expect(try memory.entry(page).isUffd == isArmed, "arm of page \(page)") }
            try memory.check(0..<2, "copied")
        }
        context.sawTrap()
        try protected.expectNoMessage("access of armed pages")
        let thread = try Thread { () throws(Failure) in memory.load(2) }
        try context.expectFault(protected.uffd, at: memory.address(2), [])
        try protected.uffd.copyPattern(memory, 2)
        try thread.join()
        try memory.check(0..<3, "at the end")
    }
}
