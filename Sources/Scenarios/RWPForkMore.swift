// SPDX-License-Identifier: GPL-2.0-only

import CUserfaultfd
import Userfaultfd

/// fork(2) where the child gets copies at once, where its userfaultfd goes unread, and where arming comes after it
/// (rule L3).
enum RWPForkMore {
    private static let privateKinds: [MemoryKind] = [.anon, .anonTHP, .shmemPrivate, .hugetlbPrivate]

    static let scenarios: [Scenario] = [
        Scenario(
            "rwp-fork-pinned",
            "pinned pages, which fork copies early: accessible in the child, armed in the parent",
            rules: "L3",
            on: privateKinds,
            needs: Need.rwp + [PinnedBuffer.need, .root],
            pinned
        ),
        Scenario(
            "rwp-fork-pinned-event",
            "pinned pages, which fork copies early: armed in a child with EVENT_FORK",
            rules: "L3",
            on: privateKinds,
            needs: Need.rwp + [PinnedBuffer.need, .features(.eventFork), .root],
            pinnedEvent
        ),
        Scenario(
            "rwp-fork-unread",
            "a monitor that closes instead of reading EVENT_FORK: child and parent are accessible, nobody hangs",
            rules: "L3 L6",
            on: MemoryKind.all,
            needs: Need.rwp + [.features(.eventFork), .root]
        ) { (context) throws(Failure) in
            try unread(context, .readWriteProtect) { (uffd, range) throws(Failure) in try uffd.readWriteProtect(range) }
        },
        Scenario(
            "rwp-fork-unread-wp",
            "the same, of write-protected memory: nothing stays protected whose faults nobody hears of",
            rules: "L3 L6",
            on: MemoryKind.all,
            needs: Need.rwp + [.features([.eventFork, .writeProtect, .writeProtectFiles]), .root]
        ) { (context) throws(Failure) in
            try unread(context, .writeProtect) { (uffd, range) throws(Failure) in try uffd.writeProtect(range) }
        },
        Scenario(
            "rwp-fork-then-arm",
            "pages shared with a child can be armed and resolved, and are still copied on write",
            rules: "P1 P2 L3",
            on: privateKinds,
            needs: Need.rwp,
            thenArm
        ),
        Scenario(
            "rwp-fork-child-closed",
            "closing the child's userfaultfd leaves the child accessible and the parent armed",
            rules: "L3 L6",
            on: MemoryKind.all,
            needs: Need.rwp + [.features(.eventFork), .root],
            childClosed
        ),
        unshares("rwp-fork-unshare-sync", async: false),
        unshares("rwp-fork-unshare-async", async: true),
        Scenario(
            "rwp-fork-race",
            "forks while pages migrate: the child has no arms, the parent keeps all",
            rules: "L3 L1",
            on: MemoryKind.all,
            needs: Need.rwp + [.nodes(2), .root],
            seconds: 60,
            race
        ),
    ]

    private static func pinned(_ context: Context) throws(Failure) {
        let protected = try Protected(context, async: false)
        let memory = protected.memory
        try protected.showTrap()
        let pin = try PinnedBuffer(memory.chunks(0..<4))
        try protected.arm(1..<4)
        let parentWrote = try Gate()
        let child = try Child { () throws(Failure) in
            try memory.expectUffdBit(on: 0..<0, context, "in the child")
            try parentWrote.wait()
            try memory.check("in the child, after the parent wrote")
            memory.fill(seed: 3)
            return 0
        }
        try protected.expectAccessed([0], "the parent after the fork")
        for chunk in 1..<4 { try protected.expectTrap(chunk, .write(1)) }
        try parentWrote.open()
        try child.waitForSuccess()
        for chunk in 1..<4 {
            try context.expectEqual(memory.load(memory.firstPage(chunk)), 1, "the byte that the parent wrote")
        }
        try pin.release()
    }

    private static func pinnedEvent(_ context: Context) throws(Failure) {
        let protected = try Protected(context, async: false, features: .eventFork)
        let memory = protected.memory
        try protected.showTrap()
        let pin = try PinnedBuffer(memory.chunks(0..<4))
        try protected.arm(1..<4)
        let (child, inherited) = try protected.fork { () throws(Failure) in
            try protected.expectAccessed([0], "in the child")
            memory.store(memory.firstPage(0), offset: 100, 5)
            try memory.check(memory.pageNumbers(1..<2), "in the child")
            memory.store(memory.firstPage(2), offset: 100, 5)
            try memory.check(memory.pageNumbers(2..<3), "in the child")
            return 0
        }
        try context.expectFault(inherited, at: memory.chunk(1).start, .readWriteProtect)
        try inherited.readWriteProtect(memory.chunk(1), false)
        let fault = try inherited.nextFault()
        try context.expect(fault.flags == [.readWriteProtect, .write], "flags \(fault.flags.rawValue) in the child")
        try context.expect(memory.chunk(2).contains(fault.address), "address of the child's message")
        try inherited.readWriteProtect(memory.chunk(2), false)
        try child.waitForSuccess()
        try protected.expectAccessed([0], "the parent")
        try protected.resolve(0..<4)
        try context.expectEqual(memory.load(memory.firstPage(2), offset: 100), 0, "the byte that the child wrote")
        try memory.check("in the parent")
        try pin.release()
    }

    /// The monitor is a process that alone has the userfaultfd: a child gets a copy of the forking process's
    /// descriptors before the event is sent, and would keep open what its parent closes.
    private static func unread(
        _ context: Context,
        _ mode: RegisterMode,
        _ protect: (Userfaultfd, AddressRange) throws(Failure) -> Void
    ) throws(Failure) {
        try Protected(context, async: false).showTrap()
        let features: Features = mode == .writeProtect ? [.writeProtect, .writeProtectFiles] : .readWriteProtect
        let uffd = try Userfaultfd(features: features.union(.eventFork))
        let monitor = try Child { () throws(Failure) in
            _ = try waitReadable(uffd.descriptor, milliseconds: -1)
            return 0
        }
        let memory = try Memory(context.kind, chunks: 4)
        try memory.populate()
        try uffd.register(memory.range, mode)
        try protect(uffd, memory.range)
        try memory.expectUffdBit(on: 0..<memory.pages, context, "armed")
        uffd.close()
        let child = try Child { () throws(Failure) in
            try memory.expectUffdBit(on: 0..<0, context, "in the child, before an access")
            try memory.check("in the child")
            try memory.expectUffdBit(on: 0..<0, context, "in the child")
            if !memory.kind.isShared { memory.fill(seed: 2) }
            return 0
        }
        try monitor.waitForSuccess()
        try child.waitForSuccess()
        try memory.check("in the parent")
        try memory.expectUffdBit(on: 0..<0, context, "in the parent")
    }

    private static func thenArm(_ context: Context) throws(Failure) {
        let protected = try Protected(context, async: false)
        let memory = protected.memory
        try protected.showTrap()
        let parentWrote = try Gate()
        let child = try Child { () throws(Failure) in
            try parentWrote.wait()
            try memory.check("in the child, after the parent wrote")
            return 0
        }
        try protected.armAll()
        try protected.expectTrap(1, .read)
        try protected.expectTrap(2, .write(0xEE))
        try protected.resolve(0..<4)
        for chunk in [1, 3] { memory.store(memory.firstPage(chunk), 0xEE) }
        try parentWrote.open()
        try child.waitForSuccess()
        for chunk in 1..<4 {
            try context.expectEqual(memory.load(memory.firstPage(chunk)), 0xEE, "the byte written to chunk \(chunk)")
        }
    }

    private static func childClosed(_ context: Context) throws(Failure) {
        let protected = try Protected(context, async: false, features: .eventFork)
        let memory = protected.memory
        try protected.showTrap()
        try protected.arm(1..<4)
        let (child, inherited) = try protected.fork { () throws(Failure) in
            try memory.check("in the child")
            try memory.expectUffdBit(on: 0..<0, context, "in the child")
            return 0
        }
        try inherited.waitForPending(1)
        inherited.close()
        try child.waitForSuccess()
        try protected.expectAccessed([0], "the parent")
        for chunk in 1..<4 { try protected.expectTrap(chunk, .read) }
    }

    /// A long-term pin for reading takes a copy of an anonymous page that is shared with a child first.
    private static func unshares(_ name: StaticString, async: Bool) -> Scenario {
        Scenario(
            name,
            "a long-term read pin of an armed page that a child shares traps, or resolves, and pins the right page",
            rules: "F5 L3",
            on: privateKinds,
            needs: Need.rwp + [.gupTest, .root]
        ) { (context) throws(Failure) in
            let protected = try Protected(context, async: async)
            let memory = protected.memory
            try protected.showTrap()
            try protected.armAll()
            let done = try Gate()
            let child = try Child { () throws(Failure) in
                try done.wait()
                try memory.check("in the child")
                return 0
            }
            let pinner = try Thread { () throws(Failure) in
                try LongtermPin(memory.chunk(1), write: false).release()
            }
            if !async {
                try protected.expectMessage(1, .read)
                try context.expect(try memory.entry(memory.firstPage(1)).isUffd, "a page to be pinned is not armed")
                try protected.resolve(1..<2)
            }
            try pinner.join()
            try protected.expectAccessed([1], "after the pin")
            try protected.expectNoMessage("after the pin")
            try protected.resolve(0..<4)
            memory.fill(seed: 2)
            try done.open()
            try child.waitForSuccess()
            try memory.check(seed: 2, "in the parent")
        }
    }

    private static func race(_ context: Context) throws(Failure) {
        let protected = try Protected(context, async: false)
        let memory = protected.memory
        try protected.showTrap()
        try protected.armAll()
        try memory.migrating { () throws(Failure) in
            for round in 0..<(memory.chunkSize == basePageSize ? 100 : 20) {
                // Pages that the last child had are the parent's alone again once it writes to them, and are treated as such.
                try protected.resolve(0..<4)
                for chunk in 0..<4 { memory.store(memory.firstPage(chunk), offset: 100, UInt8(round)) }
                try protected.armAll()
                let child = try Child { () throws(Failure) in
                    try memory.check("in the child")
                    try memory.expectUffdBit(on: 0..<0, context, "in the child")
                    return 0
                }
                try child.waitForSuccess()
                try protected.expectAccessed([], "the parent after a fork")
            }
        }
        for chunk in 0..<4 { try protected.expectTrap(chunk, .write(1), offset: 100) }
        try memory.check("at the end")
    }
}
