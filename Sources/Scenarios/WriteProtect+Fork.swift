// SPDX-License-Identifier: GPL-2.0-only

import CUserfaultfd
import Userfaultfd

/// fork(2) of write-protected memory: who stays protected, and that neither side sees what the other writes.
extension WriteProtect {
    static let forking: [Scenario] = [
        tracked(
            "wp-fork",
            "Without EVENT_FORK the child writes freely, the parent stays protected, and private pages stay private."
        ) { (_, tracked) throws(Failure) in
            try tracked.showTrap(0)
            try tracked.forkUnregistered()
        },
        tracked(
            "wp-fork-event",
            "With EVENT_FORK the child's pages are protected too, and its writes trap on the child's userfaultfd.",
            needs: [.root],
            features: .eventFork
        ) { (_, tracked) throws(Failure) in
            try tracked.showTrap(0)
            try tracked.forkRegistered()
        },
        tracked(
            "wp-fork-swapped",
            "Swapped-out protected pages are forked without EVENT_FORK.",
            on: MemoryKind.swappable,
            needs: [.swap]
        ) { (_, tracked) throws(Failure) in
            try tracked.swapOut(0..<4)
            try tracked.forkUnregistered()
        },
        tracked(
            "wp-fork-event-swapped",
            "Swapped-out protected pages are forked with EVENT_FORK.",
            on: MemoryKind.swappable,
            needs: [.swap, .root],
            features: .eventFork
        ) { (_, tracked) throws(Failure) in
            try tracked.swapOut(0..<4)
            try tracked.forkRegistered()
        },
        asynchronous(
            "wp-fork-async",
            "The child's writes are not reported in the parent; a write of the parent's to a shared COW page is."
        ) { (context, tracked) throws(Failure) in
            let memory = tracked.memory
            let (ready, done) = (try Pipe(), try Pipe())
            let child = try Child { () throws(Failure) in
                memory.store(1, offset: 16, 0xC1)
                try ready.send(from: memory.address(0), count: 1)
                _ = try done.readByte()
                let seen = memory.load(2, offset: 16)
                return seen == (context.kind.isShared ? 0xD2 : 0) ? 0 : 1
            }
            _ = try ready.readByte()
            try tracked.expectWritten([], "after the child's write")
            try tracked.expectNoTrap(2, offset: 16, 0xD2)
            try tracked.expectWritten([2], "after the parent's write")
            context.sawTrap()
            try context.expectEqual(memory.load(1, offset: 16), context.kind.isShared ? 0xC1 : 0, "the child's byte")
            try done.send(from: memory.address(0), count: 1)
            try child.waitForSuccess()
            try memory.check("in the parent")
        },
    ]

    /// Pinned pages are copied at once when they are forked (mm/memory.c: copy_present_page).
    static let pinnedForking: [Scenario] = [
        pinned(
            "wp-fork-pinned",
            "Pinned protected pages are forked without EVENT_FORK: the parent keeps its frames and its protection."
        ) { (tracked) throws(Failure) in try tracked.forkUnregistered() },
        pinned(
            "wp-fork-event-pinned",
            "Pinned protected pages are forked with EVENT_FORK: the child's copies are protected.",
            features: .eventFork
        ) { (tracked) throws(Failure) in try tracked.forkRegistered() },
    ]

    /// A scenario of private pages that are pinned and then protected, and whose frames the parent keeps.
    private static func pinned(
        _ name: StaticString,
        _ summary: StaticString,
        features: Features = [],
        _ fork: @escaping @Sendable (Tracked) throws(Failure) -> Void
    ) -> Scenario {
        tracked(
            name,
            summary,
            on: [.anon, .anonTHP, .shmemPrivate, .hugetlbPrivate],
            needs: [PinnedBuffer.need, .root],
            features: features,
            protected: false
        ) { (context, tracked) throws(Failure) in
            let pin = try PinnedBuffer(tracked.memory.pages(0..<4))
            let frames = try tracked.memory.frames()
            try tracked.protect()
            try tracked.showTrap(0)
            try fork(tracked)
            try context.expect(try tracked.memory.frames() == frames, "the parent lost a pinned frame")
            try pin.release()
        }
    }
}

extension Tracked {
    /// Forks a child that is not registered; the child writes page 1, then the parent page 2 through a trap.
    func forkUnregistered() throws(Failure) {
        let shared = context.kind.isShared
        let (ready, done) = (try Pipe(), try Pipe())
        let child = try Child { () throws(Failure) in
            try memory.expectUffdBit(on: 0..<0, context, "in the child")
            try memory.check("in the child")
            memory.store(1, offset: 16, 0xC1)
            try ready.send(from: memory.address(0), count: 1)
            _ = try done.readByte()
            try context.expectEqual(memory.load(1, offset: 16), 0xC1, "the child's byte, in the child")
            try context.expectEqual(memory.load(2, offset: 16), shared ? 0xD2 : 0, "the parent's byte, in the child")
            try memory.check("in the child, at the end")
            return 0
        }
        _ = try ready.readByte()
        try expectProtected(0..<memory.pages, "in the parent")
        try expectQuiet("after the child's write")
        try context.expectEqual(memory.load(1, offset: 16), shared ? 0xC1 : 0, "the child's byte, in the parent")
        try expectTrap(2, offset: 16, 0xD2)
        try done.send(from: memory.address(0), count: 1)
        try child.waitForSuccess()
        try memory.check("in the parent")
        try expectTrap(1, offset: 24)
    }

    /// Forks a child that is registered; the child's write of page 1 traps, then the parent's of page 2.
    func forkRegistered() throws(Failure) {
        let shared = context.kind.isShared
        let (ready, done) = (try Pipe(), try Pipe())
        let adopted = Words(1)
        // fork(2) returns when its event has been read.
        let receiver = try Thread { () throws(Failure) in
            guard case .fork(let descriptor) = try uffd.next() else { throw Failure("expected the fork event") }
            adopted[0] = UInt64(descriptor)
        }
        let child = try Child { () throws(Failure) in
            try memory.expectUffdBit(on: 0..<memory.pages, context, "in the child")
            try memory.check("in the child")
            memory.store(1, offset: 16, 0xC1)
            try ready.send(from: memory.address(0), count: 1)
            _ = try done.readByte()
            try context.expectEqual(memory.load(1, offset: 16), 0xC1, "the child's byte, in the child")
            try context.expectEqual(memory.load(2, offset: 16), shared ? 0xD2 : 0, "the parent's byte, in the child")
            return 0
        }
        try receiver.join()
        let theirs = Userfaultfd(descriptor: Int32(adopted[0]))
        let fault = try theirs.nextFault()
        try context.expectEqual(fault.address, memory.address(1), "address of the child's fault")
        let flags: FaultFlags = [.write, .writeProtect]
        try context.expectEqual(fault.flags.rawValue, flags.rawValue, "flags of the child's fault")
        context.sawTrap()
        try theirs.writeProtect(memory.page(1), false)
        _ = try ready.readByte()
        try expectProtected(0..<memory.pages, "in the parent")
        try expectQuiet("the child's write is none of the parent's userfaultfd")
        try context.expectEqual(memory.load(1, offset: 16), shared ? 0xC1 : 0, "the child's byte, in the parent")
        try expectTrap(2, offset: 16, 0xD2)
        try done.send(from: memory.address(0), count: 1)
        try child.waitForSuccess()
        try memory.check("in the parent")
        theirs.close()
    }
}
