// SPDX-License-Identifier: GPL-2.0-only

import CUserfaultfd
import Userfaultfd

/// Asynchronous arms that are left, inherited, of the zero page, or that arrive by UFFDIO_MOVE (rules F2, L3, L5, L6).
enum RWPAsyncLife {
    static let scenarios: [Scenario] = [
        leaves("rwp-unregister-async", "asynchronous arms are gone with unregister, and the data stays") {
            (protected) throws(Failure) in
            try protected.uffd.unregister(protected.memory.range)
        },
        leaves("rwp-close-async", "asynchronous arms are gone with close, and the data stays") {
            (protected) throws(Failure) in protected.uffd.close()
        },
        Scenario(
            "rwp-fork-event-async",
            "with EVENT_FORK the child's traps resolve by themselves too, and the parent's arms stay",
            rules: "L3 F2",
            on: MemoryKind.all,
            needs: Need.rwp + [.features(.eventFork), .root],
            fork
        ),
        Scenario(
            "rwp-async-zero",
            "an armed zero page that is read stays the zero page, one that is written to becomes a page of its own",
            rules: "F2 P3",
            on: MemoryKind.anonymous,
            needs: Need.rwp,
            zeroPage
        ),
        moves(
            "rwp-move-async",
            "pages, and the zero page, that UFFDIO_MOVE moves into an asynchronous RWP VMA arrive armed"
        ) { (_, _) throws(Failure) in },
        moves(
            "rwp-move-async-swapped",
            "swapped-out pages that UFFDIO_MOVE moves into an asynchronous RWP VMA arrive armed",
            needs: [.swap]
        ) { (source, data) throws(Failure) in try source.swapOut(data) },
    ]

    private static func leaves(
        _ name: StaticString,
        _ what: StaticString,
        _ leave: @escaping @Sendable (Protected) throws(Failure) -> Void
    ) -> Scenario {
        Scenario(
            name,
            what,
            rules: "L6",
            on: MemoryKind.all,
            needs: Need.rwp
        ) { (context) throws(Failure) in
            let protected = try Protected(context, async: true)
            let memory = protected.memory
            try protected.showTrap()
            try protected.armAll()
            memory.load(memory.firstPage(1))
            try leave(protected)
            try memory.expectUffdBit(on: 0..<0, context, "afterwards")
            try memory.check("afterwards")
            memory.fill(seed: 2)
            try memory.check(seed: 2, "written afterwards")
        }
    }

    private static func fork(_ context: Context) throws(Failure) {
        let protected = try Protected(context, async: true, features: .eventFork)
        let memory = protected.memory
        try protected.showTrap()
        try protected.armAll()
        memory.load(memory.firstPage(3))
        let (child, inherited) = try protected.fork { () throws(Failure) in
            try protected.expectAccessed([3], "in the child")
            memory.load(memory.firstPage(1))
            memory.store(memory.firstPage(2), offset: 100, 5)
            try protected.expectAccessed([1, 2, 3], "in the child, after two accesses")
            try memory.check("in the child")
            return 0
        }
        try child.waitForSuccess()
        try context.expectNoMessage(inherited, "accesses of the child's")
        try protected.expectAccessed([3], "in the parent")
        let written: UInt8 = context.kind.isShared ? 5 : 0
        try context.expectEqual(memory.load(memory.firstPage(2), offset: 100), written, "the child's byte")
        try protected.expectAccessed([2, 3], "in the parent, after an access")
        try memory.check("in the parent")
    }

    private static func zeroPage(_ context: Context) throws(Failure) {
        let protected = try Protected(context, async: true, populated: false)
        let memory = protected.memory
        for page in 0..<memory.pages { memory.load(page) }
        try protected.showTrap()
        try protected.armAll()
        memory.load(memory.firstPage(1))
        try protected.expectAccessed([1], "one was read")
        try context.expect(try !protected.categories(.zeroPage).contains(false), "a read made a page of its own")
        memory.store(memory.firstPage(1), 0xEE)
        memory.store(memory.firstPage(2), 0xEE)
        try protected.expectAccessed([1, 2], "two were written")
        let zero = try protected.categories(.zeroPage)
        try context.expect(zero == [true, false, false, true], "not the written chunks alone left the zero page")
        for chunk in 1..<3 {
            try context.expectEqual(memory.load(memory.firstPage(chunk)), 0xEE, "the byte written")
        }
        let other = try Memory(context.kind, chunks: 1)
        try other.checkZeroes(0..<other.pages, "a zero page elsewhere")
        try memory.checkZeroes(memory.pageNumbers(3..<4), "at the end")
    }

    /// Four chunks move, of which the last was only read: the zero page.
    private static func moves(
        _ name: StaticString,
        _ what: StaticString,
        needs: [Need] = [],
        _ prepare: @escaping @Sendable (Memory, Range<Int>) throws(Failure) -> Void
    ) -> Scenario {
        Scenario(
            name,
            what,
            rules: "L5 F2",
            on: MemoryKind.anonymous,
            needs: Need.rwp + [.features(.move)] + needs
        ) { (context) throws(Failure) in
            try Protected(context, async: true).showTrap()
            let mode: RegisterMode = [.readWriteProtect, .missing]
            let protected = try Protected(context, async: true, mode: mode, populated: false)
            let (memory, source) = (protected.memory, try Memory(context.kind, chunks: 4))
            let data = source.pageNumbers(0..<3)
            source.fill(data)
            source.load(source.firstPage(3))
            try prepare(source, data)
            try protected.uffd.move(to: memory.range, from: source.range.start)
            try protected.expectAccessed([], "moved")
            protected.loadAll(1)
            memory.store(memory.firstPage(3), offset: 100, 5)
            try protected.expectAccessed([1, 3], "after two accesses")
            try memory.check(data, "moved")
            try context.expectEqual(memory.load(memory.firstPage(3), offset: 100), 5, "the byte written")
            try protected.expectNoMessage("asynchronous traps")
        }
    }
}
