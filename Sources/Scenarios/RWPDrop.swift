// SPDX-License-Identifier: GPL-2.0-only

import CUserfaultfd
import Userfaultfd

/// What drops an arm together with its page (rule L2).
enum RWPDrop {
    static let scenarios: [Scenario] = [
        Scenario(
            "rwp-drop-dontneed",
            "MADV_DONTNEED drops page and arm; the next access populates and does not trap",
            rules: "L2 P1",
            on: MemoryKind.all,
            needs: Need.rwp,
            dontNeed
        ),
        Scenario(
            "rwp-drop-remove",
            "MADV_REMOVE drops page and arm",
            rules: "L2",
            on: MemoryKind.shared,
            needs: Need.rwp,
            remove
        ),
        Scenario(
            "rwp-drop-punch-hole",
            "a hole punched in the file drops page and arm",
            rules: "L2",
            on: MemoryKind.shared,
            needs: Need.rwp,
            punchHole
        ),
        Scenario(
            "rwp-drop-truncate",
            "truncation drops page and arm, and growing again brings zeroes",
            rules: "L2",
            on: MemoryKind.shared,
            needs: Need.rwp,
            truncate
        ),
        Scenario(
            "rwp-drop-private",
            "under a private mapping a hole drops what was only read, not a copy, and truncation drops both",
            rules: "L1 L2 S2",
            on: [.shmemPrivate],
            needs: Need.rwp,
            privateMapping
        ),
        Scenario(
            "rwp-drop-reclaim",
            "reclaim of a shmem page's mapping drops the arm, and the data comes back",
            rules: "L2",
            on: [.shmem],
            needs: Need.rwp + [.swap],
            reclaim
        ),
        Scenario(
            "rwp-drop-waiter",
            "a waiter whose page is dropped goes on when woken, or resolved, and reads the new page",
            rules: "L2 P2",
            on: MemoryKind.all,
            needs: Need.rwp,
            waiter
        ),
        Scenario(
            "rwp-drop-event",
            "MADV_DONTNEED and munmap(2) wait until their event is read; until then RWPROTECT is EAGAIN",
            rules: "L2 P4",
            on: MemoryKind.all,
            needs: Need.rwp + [.features([.eventRemove, .eventUnmap])],
            event
        ),
    ]

    private static func dontNeed(_ context: Context) throws(Failure) {
        let dontNeed: Int32 = 4  // MADV_DONTNEED
        try drop(context, keepsData: !context.kind.isAnonymous && context.kind.isShared) {
            (memory, range) throws(Failure) in try memory.advise(range, dontNeed)
        }
    }

    private static func remove(_ context: Context) throws(Failure) {
        let remove: Int32 = 9  // MADV_REMOVE
        try drop(context, keepsData: false) { (memory, range) throws(Failure) in try memory.advise(range, remove) }
    }

    private static func punchHole(_ context: Context) throws(Failure) {
        try drop(context, keepsData: false) { (memory, range) throws(Failure) in try memory.punchHole(range) }
    }

    private static func truncate(_ context: Context) throws(Failure) {
        try drop(context, keepsData: false, chunks: 2..<4) { (memory, range) throws(Failure) in
            for length in [range.start - memory.range.start, memory.range.length] {
                if ftruncate(memory.descriptor, Int(length)) != 0 {
                    throw Failure(call: "ftruncate", code: cuffd_errno())
                }
            }
        }
    }

    private static func reclaim(_ context: Context) throws(Failure) {
        try drop(context, keepsData: true) { (memory, range) throws(Failure) in
            let first = Int((range.start - memory.range.start) / memory.pageSize)
            try memory.swapOut(first..<(first + Int(range.length / memory.pageSize)))
        }
    }

    private static func privateMapping(_ context: Context) throws(Failure) {
        let protected = try Protected(context, async: false, populated: false)
        let memory = protected.memory
        try memory.alias().fill()
        try memory.check("read from the file")
        memory.store(1, offset: 100, 1)
        try protected.showTrap()
        try protected.armAll()
        try memory.punchHole(memory.pages(1..<3))
        try protected.expectArmedPages("punched") { $0 != 2 }
        try context.expect(try !memory.entry(2).isPresent, "page 2 is still there")
        try context.expect(try !memory.isAccessed(2), "an unpopulated page is accessed")
        try memory.checkZeroes(2..<3, "in the hole")
        try protected.expectNoMessage("access of the hole")
        try protected.expectTrap(1, .read)
        try context.expectEqual(memory.load(1, offset: 100), 1, "the byte of the copy")
        try memory.check(1..<2, "the copy")
        try protected.armAll()
        for pages in [1, memory.pages] {
            if ftruncate(memory.descriptor, pages * Int(basePageSize)) != 0 {
                throw Failure(call: "ftruncate", code: cuffd_errno())
            }
            try protected.expectArmedPages("truncated") { $0 == 0 }
            try context.expect(try !memory.accessedPages().contains(true), "a page that was truncated is accessed")
        }
        try memory.checkZeroes(1..<4, "beyond the end")
        try protected.expectNoMessage("access of new pages")
        try protected.expectTrap(0, .write(1), offset: 100)
        try memory.check(0..<1, "at the end")
    }

    /// Arms everything, drops some chunks, and shows that they alone lost arm and page; then arms again.
    private static func drop(
        _ context: Context,
        keepsData: Bool,
        chunks: Range<Int> = 1..<3,
        _ how: (Memory, AddressRange) throws(Failure) -> Void
    ) throws(Failure) {
        let protected = try Protected(context, async: false)
        let memory = protected.memory
        try protected.showTrap()
        try protected.armAll()
        try how(memory, memory.chunks(chunks))
        for chunk in chunks {
            let entry = try memory.entry(memory.firstPage(chunk))
            try context.expect(!entry.isPresent && !entry.isUffd, "chunk \(chunk) is still there, or armed")
            try context.expect(try !protected.accessed()[chunk], "an unpopulated chunk is accessed (S2)")
        }
        let dropped = memory.pageNumbers(chunks)
        if keepsData {
            try memory.check(dropped, "dropped pages whose file has the data")
        } else if !context.kind.isShared && !context.kind.isAnonymous {
            for page in dropped { memory.load(page) }
        } else {
            try memory.checkZeroes(dropped, "dropped pages")
        }
        try protected.expectNoMessage("access of dropped chunks")
        for chunk in 0..<4 where !chunks.contains(chunk) { try protected.expectTrap(chunk, .read) }
        try protected.armAll()
        try protected.expectTrap(chunks.lowerBound, .write(1), offset: 100)
    }

    private static func waiter(_ context: Context) throws(Failure) {
        let dontNeed: Int32 = 4  // MADV_DONTNEED
        let protected = try Protected(context, async: false)
        let memory = protected.memory
        try protected.armAll()
        // The second waiter is woken by resolving, though its page has no entry that could be resolved.
        for chunk in 1..<3 {
            let thread = try protected.touch(chunk)
            try protected.expectMessage(chunk, .read)
            try waitAsleep(thread)
            try memory.advise(memory.chunk(chunk), dontNeed)
            if chunk == 1 { try protected.uffd.wake(memory.chunk(chunk)) } else { try protected.resolve(chunk..<3) }
            try thread.join()
        }
        try protected.expectNoMessage("after the waiters went on")
        try protected.expectTrap(3, .read)
    }

    /// The middle is dropped, and then the end unmapped.
    private static func event(_ context: Context) throws(Failure) {
        let protected = try Protected(context, async: false, features: [.eventRemove, .eventUnmap])
        let (uffd, memory) = (protected.uffd, protected.memory)
        try protected.showTrap()
        try protected.armAll()
        for (chunks, unmaps) in [(1..<3, false), (3..<4, true)] {
            let range = memory.chunks(chunks)
            let call = try BlockingCall { unmaps ? Event.munmap(range) : Event.madvise(range, MADV_DONTNEED) }
            try Event.expectBlocked(context, call, uffd)
            for mode: UInt64 in [1, 0, 2] {
                try context.expectErrno(.again, "RWPROTECT of mode \(mode)") { () throws(Failure) in
                    try uffd.readWriteProtect(memory.chunk(0), mode: mode)
                }
            }
            try memory.expectUffdBit(on: 0..<1, of: 0..<1, context, "with the event unread")
            try Event.expect(context, uffd, unmaps ? .unmap(range) : .remove(range))
            try context.expectEqual(call.finish(), 0, "the call")
            if unmaps {
                try context.expectErrno(.noEntry, "arming what is unmapped") { () throws(Failure) in
                    try uffd.readWriteProtect(range)
                }
            } else {
                try memory.expectUffdBit(on: 0..<0, of: memory.pageNumbers(chunks), context, "dropped")
                for chunk in chunks { protected.loadAll(chunk) }
                try protected.expectNoMessage("access of what was dropped")
            }
        }
        try protected.expectTrap(0, .write(1), offset: 100)
        try memory.check(memory.pageNumbers(0..<1), "at the end")
        try protected.expectNoMessage("at the end")
    }
}
