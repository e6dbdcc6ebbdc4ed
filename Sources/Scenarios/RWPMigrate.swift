// SPDX-License-Identifier: GPL-2.0-only

import CUserfaultfd
import Userfaultfd

/// Migration, splitting and collapsing (rules L1, L7).
enum RWPMigrate {
    static let scenarios: [Scenario] = [
        Scenario(
            "rwp-migrate-move-pages",
            "move_pages(2) between nodes keeps arms, accesses and data",
            rules: "L1",
            on: MemoryKind.all,
            needs: Need.rwp + [.nodes(2), .root],
            movePages
        ),
        Scenario(
            "rwp-migrate-sync",
            "a migrated armed page traps, and a migrated unarmed one does not",
            rules: "L1 F1",
            on: MemoryKind.all,
            needs: Need.rwp + [.nodes(2), .root],
            sync
        ),
        Scenario(
            "rwp-migrate-under-access",
            "pages that move back and forth under access never lose a write or an arm",
            rules: "L1 F1",
            on: MemoryKind.all,
            needs: Need.rwp + [.nodes(2), .root],
            underAccess
        ),
        Scenario(
            "rwp-migrate-collapse",
            "MADV_COLLAPSE never collapses over an armed page",
            rules: "L7",
            on: [.anon, .shmem],
            needs: Need.rwp,
            collapse
        ),
        Scenario(
            "rwp-migrate-compaction",
            "compaction of all memory keeps arms and data",
            rules: "L1",
            on: MemoryKind.withoutHugetlb,
            needs: Need.rwp + [compactFile, .root],
            compaction
        ),
        Scenario(
            "rwp-migrate-collapse-elsewhere",
            "MADV_COLLAPSE through another mapping of the file keeps the arms and the page table of the RWP one",
            rules: "L7",
            on: [.shmem],
            needs: Need.rwp,
            collapseElsewhere
        ),
        Scenario(
            "rwp-migrate-collapse-swapped",
            "MADV_COLLAPSE never collapses over an armed page that is swapped out",
            rules: "L7",
            on: [.anon],
            needs: Need.rwp + [.swap],
            collapseSwapped
        ),
    ]

    private static let compactFile = Need.file("/proc/sys/vm/compact_memory", "CONFIG_COMPACTION")

    private static func movePages(_ context: Context) throws(Failure) {
        let protected = try Protected(context, async: true)
        let memory = protected.memory
        try protected.showTrap()
        try protected.armAll()
        memory.load(memory.firstPage(2))
        for node in [1, 0, 1] {
            try memory.move(to: node)
            try protected.expectAccessed([2], "moved to node \(node)")
        }
        memory.store(memory.firstPage(1), offset: 100, 1)
        try protected.expectAccessed([1, 2], "written after the moves")
        try memory.check("at the end")
    }

    private static func sync(_ context: Context) throws(Failure) {
        let protected = try Protected(context, async: false)
        let memory = protected.memory
        try protected.showTrap()
        try protected.arm(1..<3)
        try memory.move(to: 1)
        for chunk in [0, 3] { memory.store(memory.firstPage(chunk), offset: 100, 1) }
        try protected.expectNoMessage("access of unarmed chunks")
        try protected.expectTrap(1, .read)
        try protected.expectTrap(2, .write(1), offset: 100)
        try memory.check("at the end")
    }

    private static func underAccess(_ context: Context) throws(Failure) {
        let protected = try Protected(context, async: false)
        let memory = protected.memory
        try protected.showTrap()
        let monitor = try Monitor(protected.uffd) { (message) throws(Failure) in
            guard case .pageFault(let address, _, _) = message else {
                throw Failure("unexpected \(message.description)")
            }
            let chunk = Int((address - memory.range.start) / memory.chunkSize)
            try protected.resolve(chunk..<(chunk + 1))
        }
        let rounds = 30
        let writer = try Thread { () throws(Failure) in
            for round in 1...rounds {
                for chunk in 0..<4 {
                    let page = memory.firstPage(chunk)
                    let before = memory.load(page, offset: 100)
                    if round > 1 && before != UInt8(round - 1) {
                        throw Failure("round \(round): chunk \(chunk) lost a write: \(before)")
                    }
                    memory.store(page, offset: 100, UInt8(round))
                }
            }
        }
        var node = 0
        while !writer.isFinished {
            node = 1 - node
            try protected.uffd.readWriteProtect(memory.range)
            // A page in use may stay; that is not this scenario's business.
            _ = try memory.tryMove(to: node)
        }
        try writer.join()
        try monitor.stop()
        try protected.resolve(0..<4)
        try memory.check("at the end")
    }

    private static func collapse(_ context: Context) throws(Failure) {
        let (protected, target) = try collapsible(context)
        let armed = target.lowerBound + 5
        try protected.arm(armed..<(armed + 1))
        protected.memory.tryCollapse(target)
        try context.expect(try protected.memory.entry(armed).isUffd, "MADV_COLLAPSE lost the arm")
        try context.expect(try !protected.memory.isHuge(target), "MADV_COLLAPSE mapped an armed page huge")
        try protected.expectTrap(armed, .read)
        try protected.memory.check("at the end")
        // It was for the arm that it refused: without one it collapses what is anonymous.
        protected.memory.tryCollapse(target)
        if context.kind.isAnonymous {
            try context.expect(try protected.memory.isHuge(target), "MADV_COLLAPSE does not collapse unarmed pages")
        }
    }

    private static func collapseElsewhere(_ context: Context) throws(Failure) {
        let first = try Protected(context, async: false)
        try first.showTrap()
        // Both mappings have the file's huge pages at aligned addresses, as collapsing and freeing page tables want.
        let memory = try Memory.collapsible(context.kind, huge: 2)
        let other = try memory.collapsibleAlias()
        let pages = memory.pages / 2
        memory.fill()
        try first.uffd.register(memory.range, .readWriteProtect)
        let protected = Protected(first, memory: memory)
        try protected.arm(0..<pages)
        other.tryCollapse(0..<pages)
        try protected.expectArmedPages("after MADV_COLLAPSE elsewhere") { $0 < pages }
        for page in [0, pages - 1] { try protected.expectTrap(page, .read) }
        try protected.resolve(0..<memory.pages)
        try memory.check("at the end")
    }

    private static func collapseSwapped(_ context: Context) throws(Failure) {
        let (protected, target) = try collapsible(context)
        let armed = target.lowerBound + 5
        try protected.arm(armed..<(armed + 1))
        try protected.memory.swapOut(armed..<(armed + 1))
        protected.memory.tryCollapse(target)
        let entry = try protected.memory.entry(armed)
        try context.expect(entry.isUffd, "MADV_COLLAPSE lost the arm")
        try context.expect(entry.isSwapped, "MADV_COLLAPSE fetched an armed page, for nothing")
        try protected.expectTrap(armed, .write(1), offset: 100)
        try protected.memory.check("at the end")
    }

    /// Memory of base pages, and which of them would make a huge page.
    private static func collapsible(_ context: Context) throws(Failure) -> (Protected, Range<Int>) {
        let huge = try Memory.hugePageSize(.anonTHP)
        let perHuge = Int(huge / basePageSize)
        let protected = try Protected(context, async: false, chunks: 2 * perHuge)
        try protected.showTrap()
        try protected.memory.advise(protected.memory.range, MADV_HUGEPAGE)
        let start = protected.memory.range.start
        let first = Int((huge - start % huge) % huge / basePageSize)
        return (protected, first..<(first + perHuge))
    }

    private static func compaction(_ context: Context) throws(Failure) {
        let protected = try Protected(context, async: true)
        try protected.showTrap()
        try protected.armAll()
        protected.memory.load(protected.memory.firstPage(1))
        try FileAccess.write("/proc/sys/vm/compact_memory", "1")
        try protected.expectAccessed([1], "after compaction")
        try protected.memory.check("at the end")
    }
}
