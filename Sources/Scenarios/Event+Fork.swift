// SPDX-License-Identifier: GPL-2.0-only

import CUserfaultfd
import Userfaultfd

/// EVENT_FORK: the child's memory is registered too, with a userfaultfd of its own.
extension Event {
    static let forkScenarios: [Scenario] = [
        Scenario(
            "event-fork",
            "The child's missing faults arrive on the descriptor of the fork event; the parent's stay on its own.",
            on: MemoryKind.all,
            needs: forkNeeds,
            fork
        ),
        Scenario(
            "event-fork-nested",
            "A fork of the child is an event of the child's userfaultfd, with one more descriptor.",
            on: [.anon, .shmem, .hugetlb],
            needs: forkNeeds,
            nested
        ),
        Scenario(
            "event-fork-wp",
            "Write protection stays armed in parent and child; each side's write traps on its own descriptor.",
            rules: "S1",
            on: MemoryKind.all,
            needs: forkNeeds + [.features([.writeProtect, .writeProtectFiles])],
            writeProtect
        ),
        Scenario(
            "event-fork-close",
            "Closing the userfaultfd lets a blocked fork return; neither side is registered then.",
            on: [.anon, .shmem, .hugetlb],
            needs: forkNeeds,
            close
        ),
        Scenario(
            "event-fork-two",
            "A process with two userfaultfds sends one fork event on each.",
            on: [.anon, .shmem, .hugetlb],
            needs: forkNeeds,
            two
        ),
    ]

    private static let forkNeeds: [Need] = [.root, .features(.eventFork)]

    /// Forks while a thread reads the fork event; the child and its userfaultfd.
    private static func forked(
        _ uffd: Userfaultfd,
        _ body: () throws(Failure) -> Int32
    ) throws(Failure) -> (child: Child, uffd: Userfaultfd) {
        let descriptor = Words(1)
        let reader = try Thread { () throws(Failure) in
            let message = try uffd.next()
            guard case .fork(let number) = message else {
                throw Failure("expected a fork event, got: \(message.description)")
            }
            descriptor[0] = UInt64(number)
        }
        let child = try Child(body)
        try reader.join()
        return (child, Userfaultfd(descriptor: Int32(descriptor[0])))
    }

    private static func fork(_ context: Context) throws(Failure) {
        let memory = try Memory(context.kind, pages: 3)
        let uffd = try Userfaultfd(features: .eventFork)
        try uffd.register(memory.range, .missing)
        try uffd.copyPattern(memory, 0)
        let (child, inChild) = try forked(uffd) { () throws(Failure) in
            try memory.check(0..<1, "the page that the child inherited")
            try memory.check(1..<2, seed: 2, "the page that the monitor copies")
            memory.store(1, offset: 64, 7)
            return Int32(memory.load(1, offset: 64)) - 7
        }
        try context.expectFault(inChild, at: memory.address(1), [])
        try context.expectNoMessage(uffd, "after a fault of the child's")
        try inChild.copyPattern(memory, 1, seed: 2)
        try child.waitForSuccess()
        try context.expectErrno(.noProcess, "COPY into a child that is gone") { () throws(Failure) in
            try inChild.copyPattern(memory, 2)
        }
        if context.kind.isShared {
            try memory.check(1..<2, seed: 2, "what was copied into the shared file")
        } else {
            try expectMissing(context, uffd, memory, 1)
        }
        try expectMissing(context, uffd, memory, 2)
        try memory.check(0..<1, "the parent's page")
    }

    private static func nested(_ context: Context) throws(Failure) {
        let memory = try Memory(context.kind, pages: 2)
        let uffd = try Userfaultfd(features: .eventFork)
        try uffd.register(memory.range, .missing)
        let (child, inChild) = try forked(uffd) { () throws(Failure) in
            // Nobody but the monitor, in the grandparent, reads this fork's event.
            let grandchild = try Child { () throws(Failure) in
                try memory.check(1..<2, seed: 3, "in the grandchild")
                return 0
            }
            try grandchild.waitForSuccess()
            return 0
        }
        let message = try inChild.next()
        guard case .fork(let number) = message else {
            throw Failure("expected a fork event of the child's, got: \(message.description)")
        }
        let inGrandchild = Userfaultfd(descriptor: number)
        try context.expectFault(inGrandchild, at: memory.address(1), [])
        try context.expectNoMessage(inChild, "after a fault of the grandchild's")
        try context.expectNoMessage(uffd, "after a fault of the grandchild's")
        try inGrandchild.copyPattern(memory, 1, seed: 3)
        try child.waitForSuccess()
    }

    private static func writeProtect(_ context: Context) throws(Failure) {
        let memory = try Memory(context.kind, pages: 2)
        let uffd = try Userfaultfd(features: [.eventFork, .writeProtect, .writeProtectFiles])
        try uffd.register(memory.range, .writeProtect)
        try memory.populate()
        try uffd.writeProtect(memory.range)
        let (child, inChild) = try forked(uffd) { () throws(Failure) in
            try memory.check(0..<2, "in the child")
            try context.expect(memory.entry(1).isUffd, "the child's page is not write-protected")
            memory.store(1, offset: 64, 3)
            return Int32(memory.load(1, offset: 64)) - 3
        }
        try context.expectFault(inChild, at: memory.address(1), [.writeProtect, .write])
        try context.expect(memory.entry(1).isUffd, "the parent's page is not write-protected after fork")
        try inChild.writeProtect(memory.page(1), false)
        try child.waitForSuccess()
        let shared: UInt8 = context.kind.isShared ? 3 : 0
        try context.expectEqual(memory.load(1, offset: 64), shared, "the child's byte in the parent")

        let writer = try Access.write(memory, 1, offset: 64, 5)
        try context.expectFault(uffd, at: memory.address(1), [.writeProtect, .write])
        try uffd.writeProtect(memory.page(1), false)
        try writer.finish()
        try context.expectEqual(memory.load(1, offset: 64), 5, "byte written by the parent")
        try memory.check(0..<2, "in the parent")
    }

    private static func close(_ context: Context) throws(Failure) {
        let memory = try Memory(context.kind, pages: 2)
        let board = try Memory(.shmem, pages: 1)
        let child = try Child { () throws(Failure) in
            let uffd = try Userfaultfd(features: .eventFork)
            try uffd.register(memory.range, .missing)
            board.store(0, UInt8(uffd.descriptor))
            while board.load(0, offset: 1) == 0 { sched_yield() }
            // The monitor has the only copy now: one more would be inherited by the grandchild and outlive a close.
            uffd.close()
            let grandchild = try Child { () throws(Failure) in
                try memory.checkZeroes(0..<2, "in the grandchild")
                return 0
            }
            board.store(0, offset: 2, 1)
            try grandchild.waitForSuccess()
            try memory.checkZeroes(0..<2, "in the child")
            return 0
        }
        while board.load(0) == 0 { sched_yield() }
        let uffd = try Missing.descriptor(Int32(board.load(0)), of: child.identifier)
        board.store(0, offset: 1, 1)
        let revents = try waitReadable(uffd.descriptor, milliseconds: -1)
        try context.expectEqual(revents, POLLIN, "revents with an unread fork")
        try context.expectEqual(board.load(0, offset: 2), 0, "forks that returned before their event was read")
        context.sawTrap()
        uffd.close()
        try child.waitForSuccess()
    }

    private static func two(_ context: Context) throws(Failure) {
        let (low, high) = (try Memory(context.kind, pages: 1), try Memory(context.kind, pages: 1))
        let first = try Userfaultfd(features: .eventFork)
        let second = try Userfaultfd(features: .eventFork)
        try first.register(low.range, .missing)
        try second.register(high.range, .missing)
        let descriptor = Words(1)
        let reader = try Thread { () throws(Failure) in
            guard case .fork(let number) = try second.next() else { throw Failure("no fork on the second") }
            descriptor[0] = UInt64(number)
        }
        let (child, inLow) = try forked(first) { () throws(Failure) in
            try low.check(0..<1, "in the child")
            try high.check(0..<1, seed: 2, "in the child")
            return 0
        }
        try reader.join()
        let inHigh = Userfaultfd(descriptor: Int32(descriptor[0]))
        try context.expectFault(inLow, at: low.address(0), [])
        try inLow.copyPattern(low, 0)
        try context.expectFault(inHigh, at: high.address(0), [])
        try inHigh.copyPattern(high, 0, seed: 2)
        try child.waitForSuccess()
        try context.expectNoMessage(first, "after one fork")
        try context.expectNoMessage(second, "after one fork")
    }
}
