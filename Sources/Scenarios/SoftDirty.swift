// SPDX-License-Identifier: GPL-2.0-only

import CUserfaultfd
import Userfaultfd

/// Soft-dirty tracking (`Documentation/admin-guide/mm/soft-dirty.rst`) beside write protection on one VMA: two bits of
/// one entry, neither of which may cost the other.
enum SoftDirty {
    static let scenarios: [Scenario] = [
        Scenario(
            "soft-dirty-clear",
            "Clearing soft-dirty leaves the protection; a write then sets soft-dirty and resolving takes the protection.",
            on: MemoryKind.withoutHugetlb,
            needs: needs
        ) { (context) throws(Failure) in
            let tracked = try Tracked(context)
            try tracked.protect()
            try tracked.memory.check("mapped")
            try clear()
            try tracked.expectProtected(0..<tracked.memory.pages, "after clearing soft-dirty")
            try tracked.expectSoftDirty([], "after clearing soft-dirty")
            try tracked.expectTrap(1, offset: 16)
            try tracked.expectSoftDirty([1], "after one write")
            try tracked.expectProtected(without: 1, "after one write")
            try tracked.memory.check("after one write")
        },
        Scenario(
            "soft-dirty-protect",
            "Protecting and resolving do not make a clean page soft-dirty, nor a soft-dirty page clean.",
            // Protecting a huge page of shmem unmaps it, and soft-dirty with it.
            on: [.anon, .anonTHP, .shmem, .shmemPrivate],
            needs: needs
        ) { (context) throws(Failure) in
            let tracked = try Tracked(context)
            try clear()
            try tracked.expectNoTrap(2, offset: 16)
            try tracked.expectSoftDirty([2], "after one write", in: 0..<4)
            for _ in 0..<2 {
                try tracked.protect(0..<4)
                try tracked.memory.check(0..<4, "while protected")
                try tracked.expectSoftDirty([2], "after protecting", in: 0..<4)
                try tracked.resolve(0..<4)
                try tracked.expectSoftDirty([2], "after resolving", in: 0..<4)
            }
            try tracked.protect()
            try tracked.expectTrap(1, offset: 16)
        },
        stays("soft-dirty-swap", "Both survive swap-out and swap-in.", on: [.anon, .anonTHP, .shmemPrivate], [.swap]) {
            (tracked) throws(Failure) in try tracked.swapOut(0..<4)
        },
        stays(
            "soft-dirty-migrate",
            "Both survive migration to another node and back.",
            on: privateKinds,
            [.nodes(2), .root]
        ) {
            (tracked) throws(Failure) in
            try tracked.memory.move(to: 1)
            try tracked.memory.move(to: 0)
        },
        stays("soft-dirty-split", "Both survive the split of a huge page.", on: [.anonTHP]) {
            (tracked) throws(Failure) in
            try tracked.memory.protect(tracked.memory.page(3), PROT_READ)
            try tracked.memory.protect(tracked.memory.page(3), PROT_READ | PROT_WRITE)
            try tracked.context.expect(
                try !tracked.memory.isHuge(0..<tracked.memory.pages),
                "the huge page did not split"
            )
        },
        stays(
            "soft-dirty-unshare",
            "Both survive a long-term pin, which gives pages that a child shares frames of their own.",
            on: privateKinds,
            [.gupTest, .root]
        ) { (tracked) throws(Failure) in
            let memory = tracked.memory
            let gate = try Gate()
            let child = try Child { () throws(Failure) in
                try gate.wait()
                return 0
            }
            let before = try memory.frames()
            try LongtermPin(memory.range, write: false).release()
            let after = try memory.frames()
            for page in 0..<memory.pages {
                try tracked.context.expect(after[page] != before[page], "page \(page) still has the child's frame")
            }
            try gate.open()
            try child.waitForSuccess()
        },
        stays("soft-dirty-mprotect", "Both survive mprotect(2) to PROT_NONE and back.", on: privateKinds) {
            (tracked) throws(Failure) in
            try tracked.memory.protect(tracked.memory.range, PROT_NONE)
            try tracked.memory.protect(tracked.memory.range, PROT_READ | PROT_WRITE)
        },
        stays("soft-dirty-fork", "Both survive, in the parent, a fork(2) whose child writes.", on: privateKinds) {
            (tracked) throws(Failure) in
            let memory = tracked.memory
            let child = try Child { () throws(Failure) in
                memory.fill(seed: 3)
                try memory.check(seed: 3, "in the child")
                return 0
            }
            try child.waitForSuccess()
        },
        Scenario(
            "soft-dirty-mremap",
            "Memory moved with EVENT_REMAP stays protected, and is soft-dirty as moved memory is.",
            on: privateKinds,
            needs: needs + [.features(.eventRemap)]
        ) { (context) throws(Failure) in
            let tracked = try Tracked(context, features: .eventRemap)
            let memory = tracked.memory
            try tracked.protect()
            try clear()
            try tracked.expectSoftDirty([], "before mremap")
            let place = try memory.destination()
            let mover = try Thread { () throws(Failure) in _ = try memory.remapped(to: place) }
            _ = try tracked.uffd.next()
            try mover.join()
            let moved = Tracked(tracked, memory: memory.moved(to: place))
            try moved.expectProtected(0..<memory.pages, "after mremap")
            try moved.expectSoftDirty(Array(0..<memory.pages), "after mremap")
            try clear()
            try moved.expectProtected(0..<memory.pages, "after clearing soft-dirty again")
            try moved.memory.check("after mremap")
            try moved.expectTrap(1, offset: 16)
            try moved.expectSoftDirty([1], "after one write")
        },
        Scenario(
            "soft-dirty-scan",
            "PAGEMAP_SCAN tells soft-dirty and written apart on one VMA; WP_MATCHING leaves soft-dirty alone.",
            on: [.anon, .shmemPrivate],
            needs: WriteProtect.needsAsync + [.softDirty]
        ) { (context) throws(Failure) in
            let tracked = try Tracked(context, features: Tracked.asyncFeatures)
            try tracked.protect()
            try clear()
            try tracked.expectScan(.softDirty, [], "after clearing")
            try tracked.expectWritten([], "after clearing soft-dirty")
            try tracked.expectNoTrap(1, offset: 16)
            try tracked.expectNoTrap(2, offset: 16)
            try tracked.expectScan(.softDirty, [1, 2], "after two writes")
            try tracked.expectWritten([1, 2], "after two writes")
            context.sawTrap()
            var query = ScanQuery(all: [.written], report: [.written, .softDirty])
            query.writeProtectMatching = true
            let pagemap = try Pagemap()
            let regions = try pagemap.scan(tracked.memory.page(1), query).regions
            let expected = [PageRegion(range: tracked.memory.page(1), categories: [.written, .softDirty])]
            try context.expect(regions == expected, "WP_MATCHING reported something else")
            try tracked.expectWritten([2], "after WP_MATCHING of one page")
            try tracked.expectScan(.softDirty, [1, 2], "after WP_MATCHING of one page")
            try clear()
            try tracked.expectScan(.softDirty, [], "after clearing again")
            try tracked.expectWritten([2], "after clearing soft-dirty again")
        },
    ]

    private static let privateKinds: [MemoryKind] = [.anon, .anonTHP, .shmemPrivate]
    private static let needs: [Need] = [.features(Tracked.features), .softDirty]

    /// Protected pages of which page 2 is soft-dirty and the others are clean; `act`; still so.
    private static func stays(
        _ name: StaticString,
        _ summary: StaticString,
        on kinds: [MemoryKind],
        _ more: [Need] = [],
        _ act: @escaping @Sendable (Tracked) throws(Failure) -> Void
    ) -> Scenario {
        Scenario(name, summary, on: kinds, needs: needs + more + [.pagemapScan]) { (context) throws(Failure) in
            let tracked = try Tracked(context)
            try clear()
            if context.kind != .anonTHP { tracked.memory.store(2, offset: 16, 1) }
            try tracked.protect()
            // A huge page has one soft-dirty bit until it splits.
            let dirty = context.kind == .anonTHP ? [] : [2]
            try tracked.expectSoftDirty(dirty, "before")
            try act(tracked)
            try tracked.expectSoftDirty(dirty, "after")
            try tracked.expectProtected(0..<tracked.memory.pages, "after")
            try tracked.memory.check("after")
            try tracked.expectSoftDirty(dirty, "after reads")
            try tracked.expectTrap(1, offset: 24)
            try tracked.expectSoftDirty([1] + dirty, "after a write")
            try clear()
            try tracked.expectSoftDirty([], "after clearing again")
            try tracked.expectProtected(without: 1, "after clearing again")
        }
    }

    /// Clears the soft-dirty bits of this process (proc_pid_clear_refs(5)).
    static func clear() throws(Failure) {
        try FileAccess.write("/proc/self/clear_refs", "4")
    }
}

extension Tracked {
    /// Fails unless exactly these of the given pages, or of all, are soft-dirty in pagemap (bit 55).
    ///
    /// Of a THP kind others may be, too: a huge page has one bit, and the split of a dirty one may set it for all parts
    /// (mm/huge_memory.c: __split_huge_pmd_locked, where pte_mkdirty() may imply soft-dirty). It must never be lost.
    func expectSoftDirty(
        _ expected: [Int],
        _ when: @autoclosure () -> String,
        in pages: Range<Int>? = nil
    ) throws(Failure) {
        let pagemap = try Pagemap()
        defer { pagemap.close() }
        var got: [Int] = []
        for page in pages ?? 0..<memory.pages where try pagemap.entry(memory.address(page)).isSoftDirty {
            got.append(page)
        }
        let holds = memory.kind.isTHP ? expected.allSatisfy { got.contains($0) } : got == expected
        try context.expect(holds, "\(when()): soft-dirty are \(listed(got)), expected \(listed(expected))")
    }

    /// Fails unless PAGEMAP_SCAN finds exactly these pages in this category.
    func expectScan(_ category: PageCategories, _ expected: [Int], _ when: @autoclosure () -> String) throws(Failure) {
        let pagemap = try Pagemap()
        defer { pagemap.close() }
        let regions = try pagemap.scan(memory.range, ScanQuery(all: category, report: category)).regions
        let got = memory.pageNumbers(regions)
        try context.expect(got == expected, "\(when()): found are \(listed(got)), expected \(listed(expected))")
    }
}
