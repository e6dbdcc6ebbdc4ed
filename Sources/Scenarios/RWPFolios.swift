// SPDX-License-Identifier: GPL-2.0-only

import CUserfaultfd
import Userfaultfd

/// Large folios that the kernel would map, or split, on somebody else's behalf: each page stays a page of its own.
enum RWPFolios {
    static let scenarios: [Scenario] = [
        Scenario(
            "rwp-folio-sizes",
            "with anonymous folios of 64 KiB on, an access populates its own page and no neighbour",
            rules: "P1 S2",
            on: [.anon],
            needs: Need.rwp + [
                .file(GlobalSettings.folioSize, "CONFIG_TRANSPARENT_HUGEPAGE"),
                .root, .ownMachine,
            ],
            sizes
        ),
        Scenario(
            "rwp-folio-touch-one",
            "an access of one page of an armed anonymous folio of 64 KiB disarms that page alone, swapped out or not",
            rules: "F2 L1 S2",
            on: [.anon],
            needs: Need.rwp + [
                .file(GlobalSettings.folioSize, "CONFIG_TRANSPARENT_HUGEPAGE"), .swap, .root, .ownMachine,
            ],
            touchOne
        ),
        Scenario(
            "rwp-folio-fault-around",
            "an access of a large folio of the page cache, of 2 MiB or 64 KiB, maps and disarms that page alone",
            rules: "G5 S2 F2 B3",
            on: [.shmemTHP],
            needs: Need.rwp + [
                .file(GlobalSettings.shmemFolioSize, "CONFIG_TRANSPARENT_HUGEPAGE"), .root, .ownMachine,
            ],
            faultAround
        ),
        Scenario(
            "rwp-folio-private",
            "huge pages of a file that a private mapping reads once it is registered are armed page by page",
            rules: "P1 P2 B3",
            on: [.shmemTHP],
            needs: Need.rwp,
            privately
        ),
        Scenario(
            "rwp-folio-other",
            "a hole that another process punches into a huge page drops that arm alone, and no access",
            rules: "L2 S2 B3",
            on: [.shmemTHP],
            needs: Need.rwp,
            splitElsewhere
        ),
    ]

    private static func sizes(_ context: Context) throws(Failure) {
        try GlobalSettings.set([(GlobalSettings.folioSize, "always")])
        let (pages, touched) = (96, [40, 56])
        let other = try Memory(context.kind, pages: pages)
        try other.advise(other.range, MADV_HUGEPAGE)
        other.store(40, 1)
        let neighbours = [try other.entry(39), try other.entry(41)]
        try context.expect(
            neighbours.contains { $0.isPresent },
            "memory that is not registered is populated page by page"
        )
        let protected = try Protected(context, async: true, chunks: pages, populated: false)
        let memory = protected.memory
        try memory.advise(memory.range, MADV_HUGEPAGE)
        for page in touched { memory.store(page, 1) }
        try protected.expectAccessed(touched, "two were written")
        for page in 0..<pages where !touched.contains(page) {
            try context.expect(try !memory.entry(page).isPresent, "page \(page) is populated, and nobody accessed it")
        }
        try protected.arm(40..<41)
        try protected.expectAccessed([56], "one is armed")
        memory.load(40)
        try protected.expectAccessed(touched, "it was read")
        context.sawTrap()
    }

    private static func touchOne(_ context: Context) throws(Failure) {
        let first = try Protected(context, async: true)
        try first.showTrap()
        try GlobalSettings.set([(GlobalSettings.folioSize, "always")])
        let memory = try Memory(context.kind, pages: 96)
        try memory.advise(memory.range, MADV_HUGEPAGE)
        memory.store(40, 1)
        let neighbours = [try memory.entry(39), try memory.entry(41)]
        try context.expect(neighbours.contains { $0.isPresent }, "memory is populated page by page")
        memory.fill()
        try first.uffd.register(memory.range, .readWriteProtect)
        let protected = Protected(first, memory: memory)
        try protected.armAll()
        memory.load(40)
        try protected.expectAccessed([40], "one was read")
        // As a whole first: to take a page of a folio is to split it.
        let pageout: Int32 = 21  // MADV_PAGEOUT, 5.4
        try memory.advise(memory.range, pageout)
        try memory.swapOut(0..<memory.pages)
        try protected.expectAccessed([40], "swapped out")
        memory.store(56, offset: 100, 1)
        try protected.expectAccessed([40, 56], "one was written, swapped out")
        try memory.check("at the end")
    }

    private static func faultAround(_ context: Context) throws(Failure) {
        for isHuge in [true, false] {
            let protected = try Protected(context, async: true, chunks: 1, populated: false)
            let memory = protected.memory
            let other = try memory.alias()
            if isHuge {
                try other.advise(other.range, MADV_HUGEPAGE)
                try other.populate()
            } else {
                try GlobalSettings.set([(GlobalSettings.shmemFolioSize, "always")])
                other.store(40, 1)
                try context.expect(try other.entry(41).isPresent, "the page cache is filled page by page")
                other.fill()
            }
            memory.load(40)
            memory.store(42, offset: 100, 1)
            for (page, isAccessed) in try memory.accessedPages().enumerated() {
                let isTouched = page == 40 || page == 42
                try context.expect(
                    try memory.entry(page).isPresent == isTouched && isAccessed == isTouched,
                    "page \(page) is mapped, or not, when 40 and 42 were touched"
                )
            }
            try protected.uffd.readWriteProtect(memory.range)
            try protected.expectArmedPages("armed") { $0 == 40 || $0 == 42 }
            memory.load(40)
            try protected.expectArmedPages("one was read") { $0 == 42 }
            context.sawTrap()
            try memory.check(40..<43, "at the end")
            try protected.expectArmedPages("all three were read") { _ in false }
        }
    }

    private static func privately(_ context: Context) throws(Failure) {
        let first = try Protected(context, async: false, chunks: 1)
        let file = first.memory
        try first.showTrap()
        for isMapped in [false, true] {
            let protected = Protected(first, memory: try file.alias(shared: false))
            let memory = protected.memory
            try memory.advise(memory.range, MADV_HUGEPAGE)
            if isMapped {
                try memory.check("before it is registered")
                try context.expect(try memory.isHuge(0..<memory.pages), "no huge page is mapped")
            }
            try protected.uffd.register(memory.range, .readWriteProtect)
            try memory.check("registered")
            try protectPrivately(context, protected, file)
        }
    }

    /// Arms and resolves parts of a private mapping of a huge page.
    private static func protectPrivately(_ context: Context, _ protected: Protected, _ file: Memory) throws(Failure) {
        let memory = protected.memory
        try protected.uffd.readWriteProtect(memory.page(7))
        try protected.expectArmedPages("one armed") { $0 == 7 }
        for page in [6, 8] { memory.load(page) }
        try protected.expectNoMessage("access of unarmed neighbours")
        try protected.expectPageTrap(7)
        try protected.armAll()
        try protected.uffd.readWriteProtect(memory.page(9), false)
        try protected.expectArmedPages("one resolved") { $0 != 9 }
        try protected.expectPageTrap(8, .write(0x33), offset: 100)
        try context.expectEqual(memory.load(8, offset: 100), 0x33, "the byte written")
        try context.expectEqual(file.load(8, offset: 100), 0, "that byte of the file")
        try protected.expectPageTrap(10)
        try protected.resolve(0..<1)
        try memory.check("at the end")
    }

    private static func splitElsewhere(_ context: Context) throws(Failure) {
        let protected = try Protected(context, async: false, chunks: 1)
        let memory = protected.memory
        try protected.showTrap()
        try protected.armAll()
        try protected.uffd.readWriteProtect(memory.page(8), false)
        let child = try Child { () throws(Failure) in
            try memory.punchHole(memory.page(7))
            return 0
        }
        try child.waitForSuccess()
        try protected.expectArmedPages("without pages 7 and 8") { $0 != 7 && $0 != 8 }
        try context.expect(try memory.isAccessed(8), "page 8 is not accessed any more")
        try protected.expectPageTrap(9, .write(1), offset: 100)
        try protected.expectPageTrap(memory.pages - 1)
        try protected.resolve(0..<1)
        try memory.checkZeroes(7..<8, "in the hole")
        try memory.check(8..<memory.pages, "at the end")
    }
}
