// SPDX-License-Identifier: GPL-2.0-only

import CUserfaultfd
import Userfaultfd

/// Pages that are dropped for a guard region, from swap, or that go elsewhere (rules L2, L4, L5).
enum RWPMoves {
    static let scenarios: [Scenario] = [
        guardRegion(
            "rwp-drop-guard",
            "a guard region drops page and arm, is not armed, and stays when it is resolved",
            rules: "L2 P1",
            scans: false
        ),
        guardRegion("rwp-scan-guard", "a guard region is not accessed", rules: "S2", scans: true),
        Scenario(
            "rwp-drop-swapped",
            "MADV_DONTNEED of swapped-out armed pages leaves nothing behind",
            rules: "L2 P1",
            on: RWPSwap.kinds,
            needs: Need.rwp + [.swap],
            dropSwapped
        ),
        Scenario(
            "rwp-move-from-armed",
            "UFFDIO_MOVE out of an armed source: accessible in a MISSING range, armed in an RWP one",
            rules: "L5",
            on: MemoryKind.anonymous,
            needs: Need.rwp + [.features(.move)],
            moveFromArmed
        ),
        Scenario(
            "rwp-mremap-dontunmap",
            "MREMAP_DONTUNMAP: the destination is accessible, the source empty and still registered",
            rules: "L4 P1",
            on: MemoryKind.withoutHugetlb,
            needs: Need.rwp
        ) { (context) throws(Failure) in try dontUnmap(context, event: false) },
        Scenario(
            "rwp-mremap-event-dontunmap",
            "MREMAP_DONTUNMAP with EVENT_REMAP: the destination is armed, the source empty and still registered",
            rules: "L4 P1 F1",
            on: MemoryKind.withoutHugetlb,
            needs: Need.rwp + [.features(.eventRemap)]
        ) { (context) throws(Failure) in try dontUnmap(context, event: true) },
        Scenario(
            "rwp-mremap-event-swapped",
            "with EVENT_REMAP swapped-out pages arrive armed",
            rules: "L4 L1",
            on: RWPSwap.kinds,
            needs: Need.rwp + [.features(.eventRemap), .swap]
        ) { (context) throws(Failure) in
            let protected = try Protected(context, async: false, features: .eventRemap)
            try protected.showTrap()
            try protected.arm(1..<4)
            try protected.memory.swapOut(0..<protected.memory.pages)
            let moved = try protected.remapped { (memory) throws(Failure) in try memory.remapped() }
            try moved.expectAccessed([0], "at the new address")
            for chunk in 1..<4 { try moved.expectTrap(chunk, .read) }
            try moved.memory.check("at the new address")
        },
    ]

    private static func guardRegion(
        _ name: StaticString,
        _ what: StaticString,
        rules: StaticString,
        scans: Bool
    ) -> Scenario {
        Scenario(name, what, rules: rules, on: MemoryKind.base, needs: Need.rwp) { (context) throws(Failure) in
            let (install, remove): (Int32, Int32) = (102, 103)  // MADV_GUARD_INSTALL, MADV_GUARD_REMOVE, 6.13
            let protected = try Protected(context, async: false)
            let memory = protected.memory
            try protected.showTrap()
            try protected.arm(1..<4)
            try memory.advise(memory.page(2), install)
            for arms in [false, true] {
                try protected.uffd.readWriteProtect(memory.page(2), arms)
                try context.expect(try !memory.entry(2).isUffd, "a guard region is armed")
                if scans { try context.expect(try !memory.isAccessed(2), "a guard region is accessed") }
                try context.expectEqual(Probe.read(memory.address(2)).signal, SIGSEGV, "signal of the guard region")
            }
            try memory.advise(memory.page(2), remove)
            memory.load(2)
            try protected.expectNoMessage("access of what was a guard region")
            for page in [1, 3] { try protected.expectTrap(page, .read) }
        }
    }

    private static func dropSwapped(_ context: Context) throws(Failure) {
        let protected = try Protected(context, async: false)
        let memory = protected.memory
        try protected.showTrap()
        try protected.arm(1..<4)
        try memory.swapOut(0..<memory.pages)
        try memory.advise(memory.chunks(1..<3), MADV_DONTNEED)
        for page in memory.pageNumbers(1..<3) {
            let entry = try memory.entry(page)
            try context.expect(!entry.isPresent && !entry.isSwapped && !entry.isUffd, "page \(page) is still there")
        }
        for page in memory.pageNumbers(1..<3) { memory.load(page) }
        try protected.expectNoMessage("access of dropped pages")
        try protected.expectTrap(3, .read)
    }

    private static func moveFromArmed(_ context: Context) throws(Failure) {
        let source = try Protected(context, async: false, features: .move)
        try source.showTrap()
        let modes: [RegisterMode] = [.missing, [.readWriteProtect, .missing]]
        for (chunk, mode) in modes.enumerated() {
            try source.armAll()
            let target = try Memory(context.kind, chunks: 1)
            try source.uffd.register(target.range, mode)
            try source.uffd.move(to: target.range, from: source.memory.chunk(0).start)
            let isArmed = mode.contains(.readWriteProtect)
            for page in 0..<target.pages {
                try context.expect(
                    try target.entry(page).isUffd == isArmed,
                    "arm of page \(page) in mode \(mode.rawValue)"
                )
            }
            if isArmed { try source.uffd.readWriteProtect(target.range, false) }
            try target.check(seed: UInt64(chunk + 1), "moved")
            target.fill(seed: 7)
            try source.expectNoMessage("access of what was moved")
            source.memory.fill(source.memory.pageNumbers(0..<1), seed: UInt64(chunk + 2))
        }
    }

    private static func dontUnmap(_ context: Context, event: Bool) throws(Failure) {
        let protected = try Protected(context, async: false, features: event ? .eventRemap : [])
        let memory = protected.memory
        try protected.showTrap()
        try protected.armAll()
        let dontUnmap: Int32 = 4  // MREMAP_DONTUNMAP, 5.7
        let move = { (memory: Memory) throws(Failure) in
            try memory.remapped(to: memory.destination(), flags: dontUnmap)
        }
        let there = event ? try protected.remapped(move) : Protected(protected, memory: try move(memory))
        let moved = there.memory
        try moved.expectUffdBit("at the destination") { _ in event }
        try memory.expectUffdBit("at the source") { _ in false }
        try context.expect(try !memory.accessedPages().contains(true), "a page of the emptied source is accessed")
        let isRWP = try AddressSpace.isReadWriteProtect(at: moved.range.start)
        try context.expect(isRWP == event, "whether the destination is registered")
        if event {
            for chunk in 0..<2 { try there.expectTrap(chunk, .write(1), offset: 100) }
            try there.resolve(0..<4)
        }
        try moved.check("at the destination")
        // The source is empty, and takes new pages without a trap.
        memory.fill(seed: 1)
        try protected.expectNoMessage("access of the emptied source")
        try protected.armAll()
        try protected.expectTrap(1, .read)
        try protected.resolve(0..<4)
        try moved.check("at the end")
    }
}

extension Memory {
    /// Whether PAGEMAP_SCAN reports a page as accessed.
    func isAccessed(_ page: Int) throws(Failure) -> Bool {
        let pagemap = try Pagemap()
        defer { pagemap.close() }
        return try !pagemap.scan(self.page(page), ScanQuery(all: .accessed, report: .accessed)).regions.isEmpty
    }

    /// Which pages PAGEMAP_SCAN reports as accessed.
    func accessedPages() throws(Failure) -> [Bool] {
        let pagemap = try Pagemap()
        defer { pagemap.close() }
        var result = [Bool](repeating: false, count: pages)
        for region in try pagemap.scan(range, ScanQuery(all: .accessed, report: .accessed)).regions {
            for address in stride(from: region.range.start, to: region.range.end, by: Int(pageSize)) {
                result[Int((address - range.start) / pageSize)] = true
            }
        }
        return result
    }
}
