// SPDX-License-Identifier: GPL-2.0-only

import CUserfaultfd
import Userfaultfd

/// While an event is unread: order, refused fills, and ends.
extension Event {
    static let waitScenarios: [Scenario] = [
        Scenario(
            "event-changing",
            "While an event is unread every fill is EAGAIN and changes nothing; after it they work again.",
            on: MemoryKind.all,
            needs: [.features([.eventRemove, .poison, .move, .writeProtect, .writeProtectFiles])],
            changing
        ),
        Scenario(
            "event-order",
            "Page faults are read before events, and events in the order in which they were sent.",
            on: MemoryKind.all,
            needs: [.features(.eventRemove)],
            order
        ),
        Scenario(
            "event-close",
            "Closing the userfaultfd lets calls return whose events nobody has read.",
            on: MemoryKind.all,
            needs: [.features([.eventRemove, .eventUnmap, .eventRemap])],
            close
        ),
        Scenario(
            "event-kill",
            "SIGKILL ends a process that waits for its event to be read.",
            on: [.anon, .shmem, .hugetlb],
            needs: [.features(.eventRemove)],
            kill
        ),
    ]

    private static func changing(_ context: Context) throws(Failure) {
        let memory = try Memory(context.kind, pages: 4)
        let uffd = try Userfaultfd(
            features: [.eventRemove, .poison, .move, .writeProtect, .writeProtectFiles]
        )
        try uffd.register(memory.range, [.missing, .writeProtect])
        try uffd.copyPattern(memory, 0)
        try uffd.copyPattern(memory, 3)
        let source = try Memory(context.kind, pages: 1)
        let range = memory.page(3)
        let call = try BlockingCall { madvise(range, MADV_DONTNEED) }
        try expectBlocked(context, call, uffd)
        try context.expectErrno(.again, "COPY") { () throws(Failure) in try uffd.copyPattern(memory, 1) }
        try context.expectErrno(.again, "ZEROPAGE") { () throws(Failure) in try uffd.zeropage(memory.page(1)) }
        try context.expectErrno(.again, "CONTINUE") { () throws(Failure) in try uffd.continue(memory.page(1)) }
        try context.expectErrno(.again, "POISON") { () throws(Failure) in try uffd.poison(memory.page(1)) }
        try context.expectErrno(.again, "WRITEPROTECT") { () throws(Failure) in
            try uffd.writeProtect(memory.page(0))
        }
        try context.expectErrno(.again, "MOVE") { () throws(Failure) in
            try uffd.move(to: memory.page(1), from: source.address(0))
        }
        try context.expect(!memory.entry(1).isPresent, "a fill that failed left a page")
        memory.store(0, offset: 64, 1)
        try expect(context, uffd, .remove(range))
        try context.expectEqual(call.finish(), 0, "MADV_DONTNEED")
        try expectMissing(context, uffd, memory, 1)
        try memory.check(0..<2, "after the event was read")
        try context.expectNoMessage(uffd, "after the event was read")
    }

    private static func order(_ context: Context) throws(Failure) {
        let memory = try Memory(context.kind, pages: 4)
        let uffd = try Userfaultfd(features: .eventRemove)
        try uffd.register(memory.range, .missing)
        var calls: [BlockingCall] = []
        for page in [2, 0, 1] {
            let range = memory.page(page)
            let call = try BlockingCall { madvise(range, MADV_DONTNEED) }
            try expectBlocked(context, call, uffd)
            calls.append(call)
        }
        let reader = try Access.read(memory, 3)
        try uffd.waitForPending(1)
        try context.expectFault(uffd, at: memory.address(3), [])
        for page in [2, 0, 1] { try expect(context, uffd, .remove(memory.page(page))) }
        for call in calls { try context.expectEqual(call.finish(), 0, "MADV_DONTNEED") }
        try uffd.copyPattern(memory, 3)
        try reader.finish()
        try memory.check(3..<4, "after COPY")
        try context.expectNoMessage(uffd, "after all were read")
    }

    private static func close(_ context: Context) throws(Failure) {
        let (dropped, unmapped, moving) = (
            try Memory(context.kind, pages: 1), try Memory(context.kind, pages: 1), try Memory(context.kind, pages: 1)
        )
        let uffds = try [dropped, unmapped, moving].map { memory throws(Failure) in
            let uffd = try Userfaultfd(features: [.eventRemove, .eventUnmap, .eventRemap])
            try uffd.register(memory.range, .missing)
            try uffd.copyPattern(memory, 0)
            return uffd
        }
        let start = try moving.destination()
        let calls = [
            try BlockingCall { madvise(dropped.range, MADV_DONTNEED) },
            try BlockingCall { munmap(unmapped.range) },
            try BlockingCall {
                let range = moving.range
                return cuffd_mremap(range.start, range.length, range.length, MREMAP_MAYMOVE | MREMAP_FIXED, start)
            },
        ]
        for (call, uffd) in zip(calls, uffds) { try expectBlocked(context, call, uffd) }
        context.sawTrap()
        for uffd in uffds { uffd.close() }
        try context.expectEqual(calls[0].finish(), 0, "MADV_DONTNEED")
        try context.expectEqual(calls[1].finish(), 0, "munmap(2)")
        try context.expectEqual(calls[2].finish(), Int(start), "address that mremap(2) gave")
        if context.kind.isShared {
            try dropped.check(0..<1, "after MADV_DONTNEED of pages that the file has")
        } else {
            try dropped.checkZeroes(0..<1, "after MADV_DONTNEED")
        }
        try context.expectEqual(Missing.vmas(in: unmapped.range), 0, "VMAs in the range unmapped")
        try moving.moved(to: start).check(0..<1, "the page moved")
    }

    private static func kill(_ context: Context) throws(Failure) {
        let memory = try Memory(context.kind, pages: 2)
        let board = try Memory(.shmem, pages: 1)
        let child = try Child { () throws(Failure) in
            let uffd = try Userfaultfd(features: .eventRemove)
            try uffd.register(memory.range, .missing)
            board.store(0, UInt8(uffd.descriptor))
            while board.load(0, offset: 1) == 0 { sched_yield() }
            return Int32(madvise(memory.page(0), MADV_DONTNEED))
        }
        while board.load(0) == 0 { sched_yield() }
        // A second descriptor of the child's userfaultfd: closing the child's own would release the call.
        let uffd = try Missing.descriptor(Int32(board.load(0)), of: child.identifier)
        board.store(0, offset: 1, 1)
        let revents = try waitReadable(uffd.descriptor, milliseconds: -1)
        try context.expectEqual(revents, POLLIN, "revents with an unread event")
        context.sawTrap()
        try child.signal(SIGKILL)
        try context.expect(child.wait() == .killed(signal: SIGKILL), "SIGKILL did not end a waiting process")
        try context.expectNoMessage(uffd, "after the sender of the event died")
    }
}
