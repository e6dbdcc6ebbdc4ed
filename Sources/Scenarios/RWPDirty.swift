// SPDX-License-Identifier: GPL-2.0-only

import CUserfaultfd
import Userfaultfd

/// Writes that only the page table knows of: reclaim keeps the data of a page for its entry's dirty bit alone, so whoever
/// arms, resolves or rewrites the entry must keep that (rule P3).
///
/// Shared file memory is read first and written through the mapping. Anonymous memory is given up by MADV_FREE and written
/// again. The first chunk of each is; the last is not, which shows that reclaim drops what is clean.
enum RWPDirty {
    private static let kinds: [MemoryKind] = [.anon, .anonTHP, .shmem, .shmemTHP]

    static let scenarios: [Scenario] = [
        keeps("rwp-dirty-armed", "arming: what is reclaimed while it is armed", rules: "P3 P1 L1") {
            (protected) throws(Failure) in try protected.armAll()
        },
        keeps("rwp-dirty-resolved", "arming and resolving", rules: "P3 P1 P2") { (protected) throws(Failure) in
            try protected.armAll()
            try protected.resolve(0..<protected.memory.chunkCount)
        },
        keeps("rwp-dirty-async", "a read that the kernel resolves", rules: "P3 F2", async: true) {
            (protected) throws(Failure) in
            try protected.armAll()
            for chunk in 0..<protected.memory.chunkCount { protected.loadAll(chunk) }
        },
        keeps("rwp-dirty-mprotect", "mprotect(2) of what is armed", rules: "P3 F3") { (protected) throws(Failure) in
            try protected.armAll()
            for protection in [PROT_NONE, PROT_READ, PROT_READ | PROT_WRITE] {
                try protected.memory.protect(protected.memory.range, protection)
            }
        },
        keeps("rwp-dirty-split", "the page-out of one page, which splits the folio", rules: "P3 B3", on: [.shmemTHP]) {
            (protected) throws(Failure) in
            let memory = protected.memory
            try protected.armAll()
            try memory.swapOut(9..<10)
            try protected.expectArmedPages("one page is out") { $0 != 9 }
        },
        Scenario(
            "rwp-dirty-clean",
            "arming and resolving, by the monitor and the kernel, make no clean page dirty",
            rules: "P3 P1 P2 F2",
            on: kinds,
            needs: Need.rwp
        ) { (context) throws(Failure) in
            for isAsync in [false, true] { try staysClean(context, async: isAsync, written: true) }
        },
        Scenario(
            "rwp-dirty-none",
            "the same of memory in which nothing is dirty",
            rules: "P3 P1 P2 F2",
            on: kinds,
            needs: Need.rwp
        ) { (context) throws(Failure) in
            for isAsync in [false, true] { try staysClean(context, async: isAsync, written: false) }
        },
        Scenario(
            "rwp-dirty-register",
            "registering keeps what is written to memory that is not registered yet",
            rules: "P3 B3",
            on: kinds,
            needs: Need.rwp + [.swap]
        ) { (context) throws(Failure) in
            let first = try Protected(context, async: false)
            try first.showTrap()
            let protected = Protected(first, memory: try Memory(context.kind, chunks: first.memory.chunkCount))
            let memory = protected.memory
            try populateClean(memory)
            memory.fill(writtenPages(memory))
            let isHuge = try memory.isHuge(0..<memory.pages)
            try context.expect(isHuge == context.kind.isTHP, "the huge pages are not mapped huge")
            try protected.uffd.register(memory.range, .readWriteProtect)
            try reclaim(memory)
            try expectData(protected)
            try protected.arm(0..<1)
            try protected.expectTrap(0, .read)
        },
    ]

    /// Writes to pages that are clean; after `act` they are reclaimed, and the data is there.
    private static func keeps(
        _ name: StaticString,
        _ what: StaticString,
        rules: StaticString,
        on kinds: [MemoryKind] = kinds,
        async: Bool = false,
        _ act: @escaping @Sendable (Protected) throws(Failure) -> Void
    ) -> Scenario {
        Scenario(name, what, rules: rules, on: kinds, needs: Need.rwp + [.swap]) { (context) throws(Failure) in
            let chunks = context.kind.isTHP ? 2 : 4
            let protected = try Protected(context, async: async, chunks: chunks, populated: false)
            let memory = protected.memory
            try populateClean(memory)
            try protected.showTrap()
            memory.fill(writtenPages(memory))
            try act(protected)
            try reclaim(memory)
            try expectData(protected)
        }
    }

    /// One dirty page, or none, among clean ones, in one folio if the kind has such.
    private static func staysClean(_ context: Context, async: Bool, written: Bool) throws(Failure) {
        let chunks = context.kind.isTHP ? 1 : 8
        let protected = try Protected(context, async: async, chunks: chunks, populated: false)
        let memory = protected.memory
        try populateClean(memory)
        try protected.showTrap()
        // A huge page has one dirty bit; this maps it in small ones.
        for protection in [PROT_READ, PROT_READ | PROT_WRITE] { try memory.protect(memory.page(1), protection) }
        if written { memory.store(3, offset: 16, 1) }
        let size = written ? Int(basePageSize >> 10) : 0
        for _ in 0..<2 {
            try expectDirty(protected, size, "written")
            try protected.armAll()
            try expectDirty(protected, size, "armed")
            if async {
                for page in 0..<memory.pages { memory.load(page) }
            } else {
                try protected.resolve(0..<memory.chunkCount)
            }
        }
        try expectDirty(protected, size, "resolved")
        try context.expectEqual(memory.load(3, offset: 16), written ? 1 : 0, "the byte written")
    }

    private static func expectDirty(
        _ protected: Protected,
        _ size: Int,
        _ when: StaticString,
        line: UInt = #line
    ) throws(Failure) {
        let dirty = try AddressSpace.kibibytes("Private_Dirty", at: protected.memory.range.start)
        try protected.context.expectEqual(dirty, size, "\(when): KiB that are dirty", line: line)
    }

    private static func writtenPages(_ memory: Memory) -> Range<Int> {
        memory.pageNumbers(0..<(memory.chunkCount - 1))
    }

    /// Populates every page such that neither entry nor folio is dirty.
    static func populateClean(_ memory: Memory) throws(Failure) {
        guard memory.kind.isAnonymous else {
            for page in 0..<memory.pages { memory.load(page) }
            return
        }
        // A page is not given up while some CPU's batch has it, on its way to the LRU lists. MADV_COLD drains that of
        // the calling CPU, so the scenario stays on one.
        let (free, cold): (Int32, Int32) = (8, 20)  // MADV_FREE, 4.5; MADV_COLD, 5.4
        try Affinity().only(0).apply()
        try memory.populate(seed: 2)
        try memory.advise(memory.range, cold)
        try memory.advise(memory.range, free)
    }

    /// Reclaims every page, those that turn out to be needed after all by a second try: MADV_PAGEOUT of all at once is the
    /// quick way.
    private static func reclaim(_ memory: Memory) throws(Failure) {
        let pageout: Int32 = 21  // MADV_PAGEOUT, 5.4
        for _ in 0..<2 { try memory.advise(memory.range, pageout) }
        try memory.swapOut(0..<memory.pages)
    }

    private static func expectData(_ protected: Protected) throws(Failure) {
        let memory = protected.memory
        try protected.resolve(0..<memory.chunkCount)
        try memory.check(writtenPages(memory), "after reclaim")
        let last = memory.chunkCount - 1
        try memory.checkZeroes(memory.pageNumbers(last..<(last + 1)), "after reclaim of what nobody wrote")
        try protected.expectNoMessage("access of resolved memory")
    }
}
