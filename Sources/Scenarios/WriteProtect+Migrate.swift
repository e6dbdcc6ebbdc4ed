// SPDX-License-Identifier: GPL-2.0-only

import CUserfaultfd
import Userfaultfd

/// Protection of pages that move between frames, and of huge pages that come apart.
extension WriteProtect {
    static let migrating: [Scenario] = [
        tracked(
            "wp-migrate",
            "Protected pages migrate to the other NUMA node and back protected, with their data.",
            needs: [.nodes(2), .root]
        ) { (context, tracked) throws(Failure) in
            try tracked.showTrap(1)
            try tracked.memory.check("before migration")
            var frames: [[UInt64]] = []
            for node in [1, 0] {
                try tracked.memory.move(to: node)
                try tracked.expectProtected(0..<tracked.memory.pages, "on node \(node)")
                try tracked.memory.check("on node \(node)")
                frames.append(try tracked.memory.frames())
            }
            for page in 0..<4 {
                try context.expect(frames[0][page] != frames[1][page], "page \(page) has one frame on two nodes")
            }
            try tracked.expectTrap(0)
            try tracked.expectTrap(3)
        },
        asynchronous(
            "wp-migrate-async",
            "Migration is not reported as a write; a write after it is.",
            needs: [.nodes(2), .root]
        ) { (context, tracked) throws(Failure) in
            try tracked.memory.check("before migration")
            try tracked.memory.move(to: 1)
            try tracked.memory.move(to: 0)
            try tracked.expectWritten([], "after migration")
            try tracked.expectNoTrap(2, offset: 16)
            try tracked.expectWritten([2], "after a write")
            context.sawTrap()
            try tracked.memory.check("at the end")
        },
        Scenario(
            "wp-collapse-elsewhere",
            "MADV_COLLAPSE through another mapping of the file makes it huge, and protected pages stay protected.",
            on: [.shmem],
            needs: [.features([.writeProtect, .writeProtectFiles])],
            collapseElsewhere
        ),
        tracked(
            "wp-collapse",
            "MADV_COLLAPSE does not collapse over protected pages: each stays protected, resolved ones stay resolved.",
            on: [.anonTHP, .shmemTHP]
        ) { (_, tracked) throws(Failure) in
            let memory = tracked.memory
            try tracked.resolve(0..<1)
            try memory.check("before the collapse")
            let collapse: Int32 = 25  // MADV_COLLAPSE, 6.1
            _ = madvise(UnsafeMutableRawPointer(bitPattern: memory.range.start), Int(memory.range.length), collapse)
            try tracked.expectProtected(1..<memory.pages, "after MADV_COLLAPSE")
            try memory.check("after MADV_COLLAPSE")
            try tracked.expectNoTrap(0, offset: 16)
            try tracked.expectTrap(1, offset: 16)
            try tracked.expectTrap(memory.pages - 1, offset: 16)
            // Nothing is protected any more: now it may collapse, and no bit may come back.
            try tracked.resolve()
            _ = madvise(UnsafeMutableRawPointer(bitPattern: memory.range.start), Int(memory.range.length), collapse)
            try tracked.expectProtected(0..<0, "after a collapse of resolved pages")
            try memory.check("after a collapse of resolved pages")
        },
    ]

    static let splitting: [Scenario] = [
        split("wp-split-mprotect", "mprotect(2) of a page of a protected huge page.") { (tracked) throws(Failure) in
            try tracked.memory.protect(tracked.memory.page(3), PROT_READ)
            try tracked.memory.protect(tracked.memory.page(3), PROT_READ | PROT_WRITE)
        },
        split("wp-split-resolve", "Resolving a page of a protected huge page, and protecting it again.") {
            (tracked) throws(Failure) in
            try tracked.resolve(3..<4)
            try tracked.expectProtected(without: 3, "after resolving one page")
            try tracked.expectNoTrap(3, offset: 16)
            try tracked.protect(3..<4)
        },
        split("wp-split-write", "A write to a page of a protected huge page, which is then protected again.") {
            (tracked) throws(Failure) in
            try tracked.expectTrap(3, offset: 16)
            try tracked.expectProtected(without: 3, "after one page was written")
            try tracked.protect(3..<4)
        },
        split("wp-split-dontneed", "MADV_DONTNEED of a page of a protected huge page, which is then filled again.") {
            (tracked) throws(Failure) in
            try tracked.memory.advise(tracked.memory.page(3), MADV_DONTNEED)
            if tracked.context.kind.isAnonymous {
                try tracked.memory.checkZeroes(3..<4, "after DONTNEED")
                try tracked.expectProtected(without: 3, "after DONTNEED of one page")
                tracked.memory.fill(3..<4)
                try tracked.protect(3..<4)
            }
        },
        split(
            "wp-split-folio",
            "A split of the folio itself, asked for by debugfs.",
            needs: [.file("/sys/kernel/debug/split_huge_pages", "CONFIG_DEBUG_FS"), .root]
        ) { (tracked) throws(Failure) in
            let range = tracked.memory.range
            let request = "\(getpid()),\(hex(range.start)),\(hex(range.end))"
            try FileAccess.write("/sys/kernel/debug/split_huge_pages", request)
            try tracked.context.expect(try !tracked.memory.isHuge(0..<tracked.memory.pages), "the huge page is whole")
        },
        split("wp-split-swap", "Reclaim of a page of a protected huge page.", needs: [.swap]) {
            (tracked) throws(Failure) in
            try tracked.memory.check("before swap-out")
            try tracked.memory.swapOut(3..<4)
        },
        tracked(
            "wp-split-to-zero",
            "A split of a protected huge page that is mostly zeroes: what becomes the zero page stays protected.",
            on: [.anonTHP],
            needs: RWPKeeps.splitFile + [.pagemapScan],
            protected: false
        ) { (_, tracked) throws(Failure) in
            let memory = tracked.memory
            memory.fillWithZeroes(3..<memory.pages)
            try tracked.protect()
            try RWPKeeps.split(memory)
            try tracked.expectProtected(0..<memory.pages, "after the split")
            for page in [2, 9] { try tracked.expectTrap(page, offset: 24) }
            try memory.check(0..<3, "at the end")
            try memory.checkZeroes(10..<memory.pages, "at the end")
        },
    ]

    private static func collapseElsewhere(_ context: Context) throws(Failure) {
        let memory = try Memory.collapsible(context.kind)
        let other = try memory.collapsibleAlias()
        memory.fill()
        let uffd = try Userfaultfd(features: [.writeProtect, .writeProtectFiles])
        try uffd.register(memory.range, .writeProtect)
        try uffd.writeProtect(memory.range)
        try uffd.writeProtect(memory.page(1), false)
        other.tryCollapse(0..<memory.pages)
        try context.expect(try other.isHuge(0..<memory.pages), "MADV_COLLAPSE elsewhere made nothing huge")
        memory.store(1, offset: 100, 1)
        try context.expectNoMessage(uffd, "after a write to a page that is not protected")
        for page in [0, 2, memory.pages - 1] {
            let writer = try Access.write(memory, page, offset: 100, 1)
            try context.expectFault(uffd, at: memory.address(page), [.writeProtect, .write])
            try uffd.writeProtect(memory.page(page), false)
            try writer.finish()
        }
        try memory.check("at the end")
    }

    /// Splits a protected huge page by `act`: every page stays protected, keeps its data, and traps.
    private static func split(
        _ name: StaticString,
        _ summary: StaticString,
        needs: [Need] = [],
        _ act: @escaping @Sendable (Tracked) throws(Failure) -> Void
    ) -> Scenario {
        let all = [.features(Tracked.features), .pagemapScan] + needs
        return Scenario(name, summary, on: [.anonTHP, .shmemTHP], needs: all) { (context) throws(Failure) in
            let tracked = try Tracked(context)
            let memory = tracked.memory
            try tracked.protect()
            if context.kind.isAnonymous {
                try context.expect(try memory.isHuge(0..<memory.pages), "protecting split the huge page")
            }
            try act(tracked)
            try tracked.expectProtected(0..<memory.pages, "after the split")
            try memory.check("after the split")
            try tracked.expectQuiet("after reads")
            for page in [0, 2, 3, 4, memory.pages - 1] { try tracked.expectTrap(page, offset: 24) }
            try memory.check("at the end")
        }
    }
}

extension Tracked {
    /// Fails unless every page but this one has bit 57.
    func expectProtected(without page: Int, _ when: @autoclosure () -> String) throws(Failure) {
        let pagemap = try Pagemap()
        defer { pagemap.close() }
        for other in 0..<memory.pages {
            let isUffd = try pagemap.entry(memory.address(other)).isUffd
            try context.expect(isUffd == (other != page), "\(when()): page \(other): bit 57 is \(isUffd)")
        }
    }
}
