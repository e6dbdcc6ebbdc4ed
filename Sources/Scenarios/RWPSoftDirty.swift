// SPDX-License-Identifier: GPL-2.0-only

import CUserfaultfd
import Userfaultfd

/// Soft-dirty tracking (`Documentation/admin-guide/mm/soft-dirty.rst`) of memory that is registered for read-write
/// protection: who looks for written pages must find those, and no others, whatever is armed and resolved (rule P3).
enum RWPSoftDirty {
    private static let kinds: [MemoryKind] = [.anon, .anonTHP, .shmem, .shmemPrivate, .shmemTHP]
    private static let needs = Need.rwp + [.softDirty]

    static let scenarios: [Scenario] = [
        Scenario(
            "rwp-soft-dirty-arm",
            "arming, resolving and mprotect(2) make no page soft-dirty, and none that is not",
            rules: "P3 P1 P2 F3",
            on: kinds.filter { $0 != .shmemPrivate },
            needs: needs
        ) { (context) throws(Failure) in try arm(context, written: [5]) },
        Scenario(
            "rwp-soft-dirty-none",
            "the same of memory in which nothing is dirty",
            rules: "P3 P1 P2 F3",
            on: [.anonTHP, .shmemTHP],
            needs: needs
        ) { (context) throws(Failure) in try arm(context, written: []) },
        Scenario(
            "rwp-soft-dirty-later",
            "a write after a page was resolved, by the monitor or the kernel, makes it soft-dirty",
            rules: "P3 P2 F2",
            on: kinds,
            needs: needs,
            later
        ),
        Scenario(
            "rwp-soft-dirty-register",
            "registering makes no page soft-dirty, and none that is not",
            rules: "P3 B3",
            on: kinds,
            needs: needs,
            register
        ),
        Scenario(
            "rwp-soft-dirty-migrate",
            "what moves to another node is as soft-dirty as it was, armed and resolved",
            rules: "P3 L1",
            on: kinds,
            needs: needs + [.nodes(2), .root]
        ) { (context) throws(Failure) in try migrate(context, written: 2..<3) },
        Scenario(
            "rwp-soft-dirty-migrate-all",
            "the same of huge pages that are all soft-dirty",
            rules: "P3 L1",
            on: [.anonTHP, .shmemTHP],
            needs: needs + [.nodes(2), .root]
        ) { (context) throws(Failure) in try migrate(context, written: 0..<4) },
        Scenario(
            "rwp-soft-dirty-swapped",
            "arming, resolving and swapping in what is swapped out make nothing soft-dirty, and none that is not",
            rules: "P3 L1",
            on: RWPSwap.kinds,
            needs: needs + [.swap],
            swapped
        ),
        Scenario(
            "rwp-soft-dirty-split",
            "a hole in the folio of armed pages makes no other page soft-dirty, and none that is not",
            rules: "P3 B3",
            on: [.shmemTHP],
            needs: needs,
            split
        ),
        Scenario(
            "rwp-soft-dirty-zero",
            "arming a page of a huge zero page that was moved leaves all of it as soft-dirty as mremap(2) has made it",
            rules: "P3",
            on: [.anonTHP],
            needs: needs,
            zero
        ),
    ]

    /// Entries that are dirty, soft-dirty or neither, side by side in one folio if the kind has such; or neither alone.
    private static func arm(_ context: Context, written: [Int]) throws(Failure) {
        let protected = try Protected(context, async: false, chunks: context.kind.isTHP ? 1 : 8, populated: false)
        let memory = protected.memory
        try RWPDirty.populateClean(memory)
        try protected.showTrap()
        // A huge page has one bit of each sort; this maps it in small ones.
        for protection in [PROT_READ, PROT_READ | PROT_WRITE] { try memory.protect(memory.page(1), protection) }
        if !written.isEmpty { memory.store(3, offset: 16, 1) }
        try SoftDirty.clear()
        for page in written { memory.store(page, offset: 16, 1) }
        try expect(memory, written, "written", context)
        for _ in 0..<2 {
            try protected.armAll()
            try expect(memory, written, "armed", context)
            try protected.resolve(0..<memory.chunkCount)
            try expect(memory, written, "resolved", context)
            for protection in [PROT_READ, PROT_READ | PROT_WRITE] { try memory.protect(memory.range, protection) }
            try expect(memory, written, "mprotected", context)
        }
        for page in written { try context.expectEqual(memory.load(page, offset: 16), 1, "the byte written") }
    }

    private static func later(_ context: Context) throws(Failure) {
        for isAsync in [true, false] {
            let protected = try Protected(context, async: isAsync)
            let memory = protected.memory
            try protected.showTrap()
            try protected.armAll()
            try SoftDirty.clear()
            if isAsync {
                for chunk in 1..<3 { protected.loadAll(chunk) }
            } else {
                try protected.resolve(1..<3)
            }
            try expect(memory, [], "nothing was written", context)
            memory.store(memory.firstPage(2), offset: 100, 1)
            let dirty = try protected.categories(.softDirty)
            try context.expect(dirty == [false, false, true, false], "not the written chunk alone is soft-dirty")
            try protected.resolve(0..<4)
            try memory.check("at the end")
        }
    }

    private static func register(_ context: Context) throws(Failure) {
        let first = try Protected(context, async: false)
        try first.showTrap()
        let memory = try Memory(context.kind, chunks: context.kind.isTHP ? 2 : 4)
        try memory.populate()
        try SoftDirty.clear()
        memory.store(memory.firstPage(1), offset: 16, 1)
        let before = try softDirty(memory)
        let isRight = before.contains(memory.firstPage(1)) && !before.contains(0)
        try context.expect(isRight, "soft-dirty are \(listed(before)), not those written")
        let isHuge = try memory.isHuge(0..<memory.pages)
        try context.expect(isHuge == context.kind.isTHP, "the huge pages are not mapped huge")
        try first.uffd.register(memory.range, .readWriteProtect)
        try expect(memory, before, "registered", context)
        try first.uffd.unregister(memory.range)
        try expect(memory, before, "unregistered", context)
    }

    private static func migrate(_ context: Context, written chunks: Range<Int>) throws(Failure) {
        let protected = try Protected(context, async: false)
        let memory = protected.memory
        try protected.showTrap()
        try SoftDirty.clear()
        for chunk in chunks { memory.store(memory.firstPage(chunk), offset: 100, 1) }
        let written = try softDirty(memory)
        for round in 0..<2 {
            try memory.move(to: 1 - round)
            try expect(memory, written, "moved, not armed", context)
            try protected.armAll()
            try memory.move(to: round)
            try expect(memory, written, "moved, armed", context)
            try protected.resolve(0..<4)
            try expect(memory, written, "resolved", context)
        }
        try memory.check("at the end")
    }

    private static func swapped(_ context: Context) throws(Failure) {
        let protected = try Protected(context, async: false)
        let memory = protected.memory
        try protected.showTrap()
        // A huge page has one soft-dirty bit; this maps each in small ones.
        for chunk in 0..<4 {
            let page = memory.page(memory.firstPage(chunk))
            for protection in [PROT_READ, PROT_READ | PROT_WRITE] { try memory.protect(page, protection) }
        }
        try SoftDirty.clear()
        let written = [memory.firstPage(2)]
        memory.store(written[0], offset: 100, 1)
        try memory.swapOut(0..<memory.pages)
        try expect(memory, written, "swapped out", context)
        for _ in 0..<2 {
            try protected.armAll()
            try expect(memory, written, "swapped out and armed", context)
            try protected.resolve(0..<4)
            try expect(memory, written, "swapped out and resolved", context)
        }
        try protected.armAll()
        for chunk in 0..<4 {
            try protected.expectTrap(chunk, .read)
            try expect(memory, written, "chunk by chunk read", context)
        }
        try memory.check("at the end")
        try expect(memory, written, "swapped in", context)
    }

    private static func split(_ context: Context) throws(Failure) {
        let protected = try Protected(context, async: false, chunks: 1)
        let memory = protected.memory
        try protected.showTrap()
        try SoftDirty.clear()
        for page in [3, 300] { memory.store(page, offset: 16, 1) }
        try protected.armAll()
        try expect(memory, [3, 300], "armed", context)
        try memory.punchHole(memory.page(9))
        try expect(memory, [3, 300], "split", context)
        try protected.expectArmedPages("split") { $0 != 9 }
        try protected.expectPageTrap(10)
        try expect(memory, [3, 300], "read", context)
    }

    private static func zero(_ context: Context) throws(Failure) {
        let protected = try Protected(context, async: false)
        try protected.showTrap()
        let source = try Memory(.anonTHP, chunks: 1)
        source.load(0)
        try SoftDirty.clear()
        let memory = try source.remapped()
        let all = Array(0..<memory.pages)
        try expect(memory, all, "moved", context)
        try context.expect(try memory.isHuge(all.indices), "the huge zero page is not mapped huge")
        try protected.uffd.register(memory.range, .readWriteProtect)
        try protected.uffd.readWriteProtect(memory.page(100))
        try expect(memory, all, "armed in part", context)
        try protected.uffd.readWriteProtect(memory.range, false)
        try expect(memory, all, "resolved", context)
    }

    private static func softDirty(_ memory: Memory) throws(Failure) -> [Int] {
        let pagemap = try Pagemap()
        defer { pagemap.close() }
        var pages: [Int] = []
        for page in 0..<memory.pages where try pagemap.entry(memory.address(page)).isSoftDirty { pages.append(page) }
        return pages
    }

    /// Fails unless exactly these pages are soft-dirty in pagemap (bit 55).
    private static func expect(
        _ memory: Memory,
        _ expected: [Int],
        _ when: StaticString,
        _ context: Context,
        line: UInt = #line
    ) throws(Failure) {
        let got = try softDirty(memory)
        try context.expect(
            got == expected,
            "\(when): soft-dirty are \(listed(got)), expected \(listed(expected))",
            line: line
        )
    }
}
