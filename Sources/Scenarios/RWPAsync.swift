// SPDX-License-Identifier: GPL-2.0-only

import CUserfaultfd
import Userfaultfd

/// Asynchronous read-write protection: the kernel resolves and remembers (rule F2).
enum RWPAsync {
    static let scenarios: [Scenario] = [
        Scenario(
            "rwp-async-read",
            "reading an armed page disarms that page alone, and the data is what it was",
            rules: "F2 P1 P3 S2",
            on: MemoryKind.all,
            needs: Need.rwp,
            read
        ),
        Scenario(
            "rwp-async-write",
            "writing an armed page disarms that page alone, and the write is there",
            rules: "F2 P3 S2",
            on: MemoryKind.all,
            needs: Need.rwp,
            write
        ),
        Scenario(
            "rwp-async-ends",
            "the first and the last byte of an armed page trap",
            rules: "F2",
            on: MemoryKind.all,
            needs: Need.rwp,
            ends
        ),
        Scenario(
            "rwp-async-all",
            "arming and touching everything, three times over",
            rules: "F2 P1",
            on: MemoryKind.all,
            needs: Need.rwp,
            all
        ),
        Scenario(
            "rwp-async-threads",
            "threads that touch one armed page at once all go on",
            rules: "F2",
            on: MemoryKind.all,
            needs: Need.rwp,
            threads
        ),
        Scenario(
            "rwp-async-cow",
            "a write to an armed page that is shared with a child copies it",
            rules: "F2 L3",
            on: [.anon, .anonTHP, .shmemPrivate, .hugetlbPrivate],
            needs: Need.rwp,
            copyOnWrite
        ),
        Scenario(
            "rwp-async-reuse",
            "a write to an armed page whose other user, a child, is gone goes on in place",
            rules: "F2 L3 P3",
            on: [.anon, .anonTHP, .shmemPrivate, .hugetlbPrivate],
            needs: Need.rwp
        ) { (context) throws(Failure) in
            let protected = try Protected(context, async: true)
            let memory = protected.memory
            try protected.showTrap()
            try protected.armAll()
            try Child { 0 }.waitForSuccess()
            for chunk in 1..<3 { memory.store(memory.firstPage(chunk), offset: 100, UInt8(chunk)) }
            try protected.expectAccessed([1, 2], "two were written")
            for chunk in 1..<3 {
                try context.expectEqual(memory.load(memory.firstPage(chunk), offset: 100), UInt8(chunk), "the byte")
            }
            try memory.check("at the end")
        },
        Scenario(
            "rwp-async-rearm",
            "arming twice changes nothing, and an armed page can be resolved unread",
            rules: "P1 P2",
            on: MemoryKind.all,
            needs: Need.rwp,
            rearm
        ),
        Scenario(
            "rwp-async-unpopulated",
            "unpopulated addresses stay unpopulated and unarmed, and what is behind them is armed",
            rules: "P1 S2",
            on: MemoryKind.all,
            needs: Need.rwp,
            unpopulated
        ),
        Scenario(
            "rwp-async-read-only",
            "on a read-only mapping an armed page traps and stays read-only",
            rules: "G1 F2 P2",
            on: MemoryKind.all,
            needs: Need.rwp,
            readOnly
        ),
        Scenario(
            "rwp-async-soft-dirty",
            "an asynchronous write makes its page soft-dirty, and a read does not",
            rules: "F2 P3",
            on: [.anon, .anonTHP, .shmem, .shmemPrivate],
            needs: Need.rwp + [.softDirty, .root]
        ) { (context) throws(Failure) in
            let protected = try Protected(context, async: true)
            let memory = protected.memory
            try protected.showTrap()
            try protected.armAll()
            try SoftDirty.clear()
            memory.load(memory.firstPage(1))
            memory.store(memory.firstPage(2), offset: 100, 1)
            try protected.expectAccessed([1, 2], "one read, one written")
            let dirty = try protected.categories(.softDirty)
            try context.expect(dirty == [false, false, true, false], "not the written page alone is soft-dirty")
            try memory.check("at the end")
        },
    ]

    private static func read(_ context: Context) throws(Failure) {
        let protected = try Protected(context, async: true)
        try protected.showTrap()
        try protected.armAll()
        try protected.expectAccessed([], "after arming all")
        protected.memory.load(protected.memory.firstPage(2))
        try protected.expectAccessed([2], "after reading chunk 2")
        try protected.memory.check("after reading")
        try protected.expectAccessed([0, 1, 2, 3], "after reading all")
        try protected.expectNoMessage("asynchronous traps")
    }

    private static func write(_ context: Context) throws(Failure) {
        let protected = try Protected(context, async: true)
        let memory = protected.memory
        try protected.showTrap()
        try protected.armAll()
        memory.store(memory.firstPage(1), offset: 100, 0xA5)
        try protected.expectAccessed([1], "after writing chunk 1")
        try context.expectEqual(memory.load(memory.firstPage(1), offset: 100), 0xA5, "the byte written")
        try memory.check("after writing beside the pattern")
        try protected.expectNoMessage("asynchronous traps")
    }

    private static func ends(_ context: Context) throws(Failure) {
        let protected = try Protected(context, async: true)
        let memory = protected.memory
        try protected.showTrap()
        for offset in [0, memory.chunkSize - 1] {
            try protected.armAll()
            memory.load(memory.firstPage(1), offset: offset)
            try protected.expectAccessed([1], "after reading byte \(offset) of chunk 1")
            try protected.armAll()
            memory.store(memory.firstPage(2), offset: offset, memory.load(memory.firstPage(2), offset: offset))
            try protected.expectAccessed([2], "after writing byte \(offset) of chunk 2")
        }
        try memory.check("after touching the ends")
    }

    private static func all(_ context: Context) throws(Failure) {
        let protected = try Protected(context, async: true, chunks: 8)
        try protected.showTrap()
        for round in 1...3 {
            try protected.armAll()
            try protected.expectAccessed([], "round \(round), armed")
            try protected.memory.check(seed: UInt64(round), "round \(round)")
            try protected.expectAccessed(Array(0..<8), "round \(round), read")
            protected.memory.fill(seed: UInt64(round + 1))
        }
    }

    private static func threads(_ context: Context) throws(Failure) {
        let protected = try Protected(context, async: true)
        let memory = protected.memory
        try protected.showTrap()
        for round in 1...20 {
            try protected.armAll()
            let gate = Words(1)
            var threads: [Thread] = []
            for index in 0..<4 {
                threads.append(
                    try Thread { () throws(Failure) in
                        while gate[0] == 0 { sched_yield() }
                        let offset = UInt(64 + 8 * index)
                        memory.store(memory.firstPage(1), offset: offset, UInt8(round))
                    }
                )
            }
            gate[0] = 1
            for thread in threads { try thread.join() }
            try protected.expectAccessed([1], "round \(round)")
            for index in 0..<4 {
                let got = memory.load(memory.firstPage(1), offset: UInt(64 + 8 * index))
                try context.expectEqual(got, UInt8(round), "byte of thread \(index)")
            }
        }
        try memory.check("after all rounds")
        try protected.expectNoMessage("asynchronous traps")
    }

    private static func copyOnWrite(_ context: Context) throws(Failure) {
        let protected = try Protected(context, async: true)
        let memory = protected.memory
        try protected.showTrap()
        try protected.armAll()
        let start = try Gate()
        let child = try Child { () throws(Failure) in
            try start.wait()
            try memory.check("in the child, after the parent wrote")
            return 0
        }
        memory.store(memory.firstPage(1), offset: 0, 0xEE)
        try protected.expectAccessed([1], "after writing a page shared with a child")
        try context.expectEqual(memory.load(memory.firstPage(1)), 0xEE, "the byte written")
        try start.open()
        try child.waitForSuccess()
    }

    private static func rearm(_ context: Context) throws(Failure) {
        let protected = try Protected(context, async: true)
        try protected.showTrap()
        try protected.armAll()
        try protected.armAll()
        try protected.expectAccessed([], "armed twice")
        try protected.resolve(1..<3)
        try protected.expectAccessed([1, 2], "resolved, never touched")
        try protected.memory.check("at the end")
    }

    /// What WP is allowed to leave at unpopulated addresses is nothing for RWP, whatever was negotiated.
    private static func unpopulated(_ context: Context) throws(Failure) {
        let wp = try API.available([.writeProtectUnpopulated, .writeProtectAsync])
        // Base pages have whole page tables missing.
        let last = context.kind.isTHP || context.kind.isHugetlb ? 3 : 1025
        for (isAsync, features) in [(true, []), (false, []), (true, wp), (false, wp)] {
            let protected = try Protected(
                context,
                async: isAsync,
                chunks: last + 1,
                features: features,
                populated: false
            )
            let memory = protected.memory
            for chunk in [0, last] { memory.store(memory.firstPage(chunk), 1) }
            try protected.showTrap()
            try protected.uffd.readWriteProtect(memory.range)
            let pagemap = try Pagemap()
            for chunk in 0...last {
                let entry = try pagemap.entry(memory.chunk(chunk).start)
                let isThere = chunk == 0 || chunk == last
                try context.expect(
                    entry.isPresent == isThere && entry.isUffd == isThere && !entry.isSwapped,
                    "chunk \(chunk) has \(hex(UInt(entry.bits))) in pagemap after arming (P1)"
                )
            }
            pagemap.close()
            try protected.expectAccessed([], "armed (S2)")
            memory.store(memory.firstPage(1), 2)
            try protected.expectNoMessage("the first access of an unpopulated chunk")
            try protected.expectAccessed([1], "populated after arming")
            try context.expectEqual(memory.load(memory.firstPage(1)), 2, "the byte written")
            if isAsync { memory.load(memory.firstPage(last)) } else { try protected.expectTrap(last, .read) }
            try protected.expectAccessed([1, last], "accessed behind the hole")
            protected.uffd.close()
            try memory.unmap()
        }
    }

    private static func readOnly(_ context: Context) throws(Failure) {
        let protected = try Protected(context, async: true)
        let memory = protected.memory
        try protected.showTrap()
        try memory.protect(memory.range, PROT_READ)
        try protected.armAll()
        memory.load(memory.firstPage(1))
        try protected.expectAccessed([1], "after reading chunk 1 of a read-only mapping")
        try protected.resolve(2..<3)
        try protected.expectAccessed([1, 2], "after resolving chunk 2")
        for chunk in 1..<4 {
            let probe = Probe.write(memory.address(memory.firstPage(chunk)), 1)
            try context.expectEqual(probe.signal, SIGSEGV, "signal of a write to chunk \(chunk)")
        }
        try memory.protect(memory.range, PROT_READ | PROT_WRITE)
        try memory.check("at the end")
        memory.fill(seed: 2)
        try memory.check(seed: 2, "written after mprotect")
    }
}
