// SPDX-License-Identifier: GPL-2.0-only

import CUserfaultfd
import Userfaultfd

/// KSM and read-write protection (rule B1): merging and unmerging are no accesses.
///
/// Sixteen pages are the same. All but one of them are armed before they are merged; the exception, too, stays what it
/// is. Huge pages get split by the merge.
enum RWPKsm {
    static let scenarios: [Scenario] =
        group("rwp-ksm-merge", "rwp-ksm-merge-zero", async: false, "stay armed, and trap one by one", touchSync)
        + group("rwp-ksm-async", "rwp-ksm-async-zero", async: true, "stay armed, and each access is one", touchAsync)
        + group(
            "rwp-ksm-unmerge",
            "rwp-ksm-unmerge-zero",
            async: false,
            "get frames of their own by MADV_UNMERGEABLE, whoever waits, and stay armed",
            { (merged) throws(Failure) in try merged.unmerge(madvise) }
        )
        + group(
            "rwp-ksm-unmerge-async",
            "rwp-ksm-unmerge-async-zero",
            async: true,
            "get frames of their own by MADV_UNMERGEABLE, which is no access",
            { (merged) throws(Failure) in try merged.unmerge(madvise) }
        )
        + group(
            "rwp-ksm-unmerge-all",
            "rwp-ksm-unmerge-all-zero",
            async: false,
            "get frames of their own by ksm/run = 2, whoever waits, and stay armed",
            { (merged) throws(Failure) in try merged.unmerge(all) }
        )
        + group(
            "rwp-ksm-unmerge-all-async",
            "rwp-ksm-unmerge-all-async-zero",
            async: true,
            "get frames of their own by ksm/run = 2, which is no access",
            { (merged) throws(Failure) in try merged.unmerge(all) }
        )
        + group(
            "rwp-ksm-late",
            "rwp-ksm-late-zero",
            async: false,
            late: true,
            "armed when they are merged already, get frames of their own by MADV_UNMERGEABLE, and stay armed",
            { (merged) throws(Failure) in try merged.unmerge(madvise) }
        )
        + group(
            "rwp-ksm-late-all",
            "rwp-ksm-late-all-zero",
            async: false,
            late: true,
            "armed when they are merged already, get frames of their own by ksm/run = 2, and stay armed",
            { (merged) throws(Failure) in try merged.unmerge(all) }
        )
        + group(
            "rwp-ksm-late-touch",
            "rwp-ksm-late-touch-zero",
            async: false,
            late: true,
            "armed when they are merged already, trap one by one, and a write to one copies it",
            touchSync
        )
        + group(
            "rwp-ksm-exit",
            "rwp-ksm-exit-zero",
            async: true,
            "stay armed when a sharing process writes and ends",
            exit
        )
        + group(
            "rwp-ksm-fork",
            "rwp-ksm-fork-zero",
            async: false,
            "stay armed when a child unmerges, writes and ends",
            fork
        )
        + [
            Scenario(
                "rwp-ksm-wp",
                "write-protected pages that are merged stay protected, and a write to one traps",
                rules: "B1",
                on: [.anon],
                needs: Need.rwp + KSM.needs,
                writeProtected
            ),
            Scenario(
                "rwp-ksm-migrate",
                "merged pages stay armed when they migrate to another node",
                rules: "B1 L1",
                on: [.anon, .shmemPrivate],
                needs: Need.rwp + KSM.needs + [.nodes(2)]
            ) { (context) throws(Failure) in
                let merged = try Merged(context, async: true, zero: false)
                for node in [1, 0, 1] {
                    try merged.memory.move(to: node)
                    try merged.expect([], "on node \(node)")
                }
                try touchAsync(merged)
                try merged.expectData("at the end")
            },
        ] + RWPKsmSwap.scenarios + RWPKsmBusy.scenarios

    /// A scenario with pages of ones, and one with pages of zeroes that are merged with the zero page.
    private static func group(
        _ name: StaticString,
        _ zeroName: StaticString,
        async: Bool,
        late: Bool = false,
        _ what: StaticString,
        _ act: @escaping @Sendable (Merged) throws(Failure) -> Void
    ) -> [Scenario] {
        // A zero page that was split off a huge one is the zero page already, whether KSM comes or not.
        [(name, false, [MemoryKind.anon, .anonTHP, .shmemPrivate]), (zeroName, true, [.anon, .shmemPrivate])].map {
            (name, zero, kinds) in
            Scenario(
                name,
                what,
                rules: "B1",
                on: kinds,
                needs: Need.rwp + KSM.needs
            ) { (context) throws(Failure) in
                let merged = try Merged(context, async: async, zero: zero, late: late)
                try act(merged)
                try merged.expectData("at the end")
            }
        }
    }

    /// What makes merged pages keep an arm serves those that are protected against writes alone.
    private static func writeProtected(_ context: Context) throws(Failure) {
        try Protected(context, async: false).showTrap()
        let memory = try Memory(context.kind, pages: 8)
        for page in 0..<memory.pages { memory.store(page, 0xAA) }
        let uffd = try Userfaultfd(features: .writeProtect)
        try uffd.register(memory.range, .writeProtect)
        try uffd.writeProtect(memory.range)
        try memory.advise(memory.range, MADV_MERGEABLE)
        try KSM.merge(memory, 0..<memory.pages)
        try memory.expectUffdBit(on: 0..<memory.pages, context, "merged")
        let writer = try Access.write(memory, 3, offset: 100, 7)
        try context.expectFault(uffd, at: memory.address(3), [.writeProtect, .write])
        try uffd.writeProtect(memory.page(3), false)
        try writer.finish()
        try context.expectEqual(memory.load(2, offset: 100), 0, "that byte of another page")
    }

    private static func madvise(_ memory: Memory) throws(Failure) {
        try memory.advise(memory.range, MADV_UNMERGEABLE)
    }

    private static func all(_: Memory) throws(Failure) { try KSM.unmergeAll() }

    private static func touchSync(_ merged: Merged) throws(Failure) {
        try merged.protected.expectPageTrap(1)
        try merged.expect([1], "one was read")
        try merged.protected.expectPageTrap(2, .write(0x77), offset: 100)
        try expectWritten(merged)
        for page in 3..<Merged.count where page != Merged.unarmed { try merged.protected.expectPageTrap(page) }
    }

    private static func touchAsync(_ merged: Merged) throws(Failure) {
        merged.memory.load(1)
        try merged.expect([1], "one was read")
        merged.memory.store(2, offset: 100, 0x77)
        try expectWritten(merged)
    }

    /// Page 1 was read and page 2 written: the write is in a frame of its own.
    private static func expectWritten(_ merged: Merged) throws(Failure) {
        try merged.context.expectEqual(merged.memory.load(2, offset: 100), 0x77, "the byte written")
        try merged.context.expectEqual(
            merged.memory.load(1, offset: 100),
            merged.isZero ? 0 : 0x55,
            "the same of page 1"
        )
        try merged.expect([1, 2], "one was written")
        try merged.context.expect(try merged.memory.frames()[2] != merged.memory.frames()[1], "a write did not unshare")
    }

    /// A process with a userfaultfd of its own has the same pages merged into the same frame.
    private static func exit(_ merged: Merged) throws(Failure) {
        let frame = try merged.memory.frames()[0]
        let child = try Child { () throws(Failure) in
            let other = try Merged(merged.context, async: true, zero: merged.isZero)
            if try other.memory.frames()[0] != frame { throw Failure("two processes do not share a frame") }
            other.memory.load(1)
            other.memory.store(2, offset: 100, 0x77)
            try other.expect([1, 2], "in the other process")
            return 0
        }
        try child.waitForSuccess()
        try merged.expect([], "after another process wrote and ended")
        try touchAsync(merged)
    }

    private static func fork(_ merged: Merged) throws(Failure) {
        let memory = merged.memory
        let child = try Child { () throws(Failure) in
            try merged.expectData("in the child")
            try memory.advise(memory.range, MADV_UNMERGEABLE)
            for page in 0..<Merged.count { memory.store(page, 0x55) }
            return 0
        }
        try child.waitForSuccess()
        try merged.expect([], "after a child wrote and ended")
        try touchSync(merged)
    }
}

/// Pages that are armed and merged.
final class Merged: Sendable {
    let protected: Protected
    /// Whether the pages hold zeroes, and are merged with the zero page.
    let isZero: Bool
    /// So many pages are the same, from the first one on.
    static let count = 16
    /// The one among them that is not armed.
    static let unarmed = 9

    var context: Context { protected.context }
    var memory: Memory { protected.memory }
    private var word: UInt64 { isZero ? 0 : 0x5555_5555_5555_5555 }

    /// Arms the pages and merges them; `late` is the other way round.
    init(_ context: Context, async: Bool, zero: Bool, late: Bool = false) throws(Failure) {
        let chunks = context.kind.isTHP ? 1 : Merged.count
        protected = try Protected(context, async: async, chunks: chunks)
        isZero = zero
        let memory = protected.memory
        for page in 0..<Merged.count {
            for offset in 0..<basePageSize / 8 { cuffd_store64(memory.address(page) + offset * 8, word) }
        }
        try protected.showTrap()
        try memory.advise(memory.range, MADV_MERGEABLE)
        for merges in [late, !late] {
            if merges {
                try KSM.merge(memory, 0..<Merged.count, zeroPages: zero)
            } else {
                try protected.armAll()
                try protected.uffd.readWriteProtect(memory.page(Merged.unarmed), false)
            }
        }
        try expect([], "merged")
    }

    /// Fails unless all pages but these and the one that never was are armed, as pagemap and PAGEMAP_SCAN tell (S1, S2).
    func expect(_ accessed: [Int], _ when: String) throws(Failure) {
        let isAccessed = { (page: Int) in page == Merged.unarmed || accessed.contains(page) }
        try protected.expectArmedPages(when) { !isAccessed($0) }
        let found = try memory.accessedPages()
        for page in 0..<memory.pages where found[page] != isAccessed(page) {
            throw Failure("\(when): page \(page) is \(isAccessed(page) ? "not " : "")reported as accessed")
        }
    }

    /// Takes the merge back by `how`, in sync mode while a thread waits for one of the pages; fails unless each page has
    /// a frame of its own, is armed if it was, and has its data.
    func unmerge(_ how: (Memory) throws(Failure) -> Void) throws(Failure) {
        if protected.isAsync {
            try how(memory)
        } else {
            let memory = memory
            let waiter = try Thread { () throws(Failure) in memory.load(3) }
            try context.expectFault(protected.uffd, at: memory.address(3), .readWriteProtect)
            try how(memory)
            try protected.expectNoMessage("unmerged")
            try context.expect(!waiter.isFinished, "unmerging let a waiter through")
            try protected.expectArmedPages("unmerged under a waiter") { $0 != Merged.unarmed }
            try protected.uffd.readWriteProtect(memory.page(3), false)
            try waiter.join()
            try protected.uffd.readWriteProtect(memory.page(3))
        }
        let frames = try memory.frames()[..<Merged.count]
        for page in 0..<Merged.count {
            try context.expect(
                frames[page] != 0 && !frames[..<page].contains(frames[page]),
                "page \(page) shares a frame"
            )
        }
        try expect([], "unmerged")
        if protected.isAsync {
            memory.load(4)
            try expect([4], "read after it was unmerged")
        } else {
            for page in [4, 5] { try protected.expectPageTrap(page) }
        }
    }

    /// Resolves everything and fails unless the pages have what they had.
    func expectData(_ when: String) throws(Failure) {
        if getpid() == owner { try protected.resolve(0..<memory.chunkCount) }
        for page in 0..<Merged.count {
            for offset in [0, basePageSize - 8] where cuffd_load64(memory.address(page) + offset) != word {
                throw Failure("\(when): page \(page) does not hold what it did")
            }
        }
        if memory.pages > Merged.count { try memory.check(Merged.count..<memory.pages, when) }
    }

    private let owner = getpid()
}
