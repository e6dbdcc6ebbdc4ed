// SPDX-License-Identifier: GPL-2.0-only

import CUserfaultfd
import Userfaultfd

/// Parts of huge pages (rules P1, P2, L1, and B3 for file memory).
enum RWPTHP {
    private static let kinds: [MemoryKind] = [.anonTHP, .shmemTHP]

    static let scenarios: [Scenario] = [
        Scenario(
            "rwp-thp-arm-one",
            "arming one page of a huge one arms that page and no other",
            rules: "P1 B3",
            on: kinds,
            needs: Need.rwp,
            armOne
        ),
        Scenario(
            "rwp-thp-resolve-one",
            "resolving one page of an armed huge one leaves the others armed",
            rules: "P2 B3",
            on: kinds,
            needs: Need.rwp,
            resolveOne
        ),
        Scenario(
            "rwp-thp-touch-one",
            "an access of one byte of an armed huge page keeps data, and the arms of pages that are mapped one by one",
            rules: "F2 B3",
            on: kinds,
            needs: Need.rwp,
            touchOne
        ),
        Scenario(
            "rwp-thp-mprotect",
            "mprotect of one page of an armed huge one keeps every arm",
            rules: "L1 B3",
            on: kinds,
            needs: Need.rwp,
            mprotect
        ),
        Scenario(
            "rwp-thp-dontneed",
            "MADV_DONTNEED of one page drops that arm alone",
            rules: "L1 L2 B3",
            on: kinds,
            needs: Need.rwp,
            dontNeed
        ),
        Scenario(
            "rwp-thp-unregister-part",
            "unregistering half of an armed huge page keeps the other half's arms",
            rules: "L6 B3",
            on: kinds,
            needs: Need.rwp,
            unregisterPart
        ),
        Scenario(
            "rwp-thp-punch-hole",
            "a hole punched under one page drops that arm alone",
            rules: "L2 B3",
            on: [.shmemTHP],
            needs: Need.rwp,
            punchHole
        ),
        Scenario(
            "rwp-thp-refault",
            "a huge page that was dropped and faulted in again is armed page by page",
            rules: "P1 B3",
            on: kinds,
            needs: Need.rwp,
            refault
        ),
        Scenario(
            "rwp-thp-register-part",
            "registering a part of a huge page leaves its pages mapped, to be armed",
            rules: "P1 B3",
            on: kinds,
            needs: Need.rwp,
            registerPart
        ),
        Scenario(
            "rwp-thp-private",
            "huge pages of a file in a private mapping are armed page by page",
            rules: "P1 B3",
            on: [.shmemTHP],
            needs: Need.rwp,
            privateMapping
        ),
        Scenario(
            "rwp-thp-truncate",
            "truncation in the midst of a huge page drops the arms beyond it, and no access before it",
            rules: "L2 S2 B3",
            on: [.shmemTHP],
            needs: Need.rwp,
            truncate
        ),
    ]

    private static func armOne(_ context: Context) throws(Failure) {
        for mode: RegisterMode in [.readWriteProtect, [.readWriteProtect, .missing]] {
            let protected = try Protected(context, async: false, chunks: 1, mode: mode)
            let memory = protected.memory
            try protected.showTrap()
            try protected.uffd.readWriteProtect(memory.page(7))
            try protected.expectArmedPages("one armed") { $0 == 7 }
            memory.load(6)
            memory.store(8, offset: 100, 1)
            try protected.expectNoMessage("access of unarmed neighbours")
            try protected.expectPageTrap(7)
            try memory.check("at the end")
        }
    }

    private static func resolveOne(_ context: Context) throws(Failure) {
        let protected = try Protected(context, async: false, chunks: 1)
        let memory = protected.memory
        try protected.showTrap()
        try protected.armAll()
        try protected.uffd.readWriteProtect(memory.page(7), false)
        memory.store(7, offset: 100, 1)
        try protected.expectNoMessage("access of the resolved page")
        try protected.expectArmedPages("without page 7") { $0 != 7 }
        try protected.expectPageTrap(8)
        try protected.resolve(0..<1)
        try memory.check("at the end")
    }

    private static func touchOne(_ context: Context) throws(Failure) {
        let protected = try Protected(context, async: true, chunks: 1)
        let memory = protected.memory
        try protected.showTrap()
        // What is mapped huge may be disarmed as a whole, until mprotect(2) of a page splits the mapping of the folio.
        for isHuge in [true, false] {
            try protected.armAll()
            memory.store(100, offset: 100, 1)
            if isHuge && memory.kind.isAnonymous {
                try context.expect(try !memory.entry(100).isUffd, "the touched page is still armed")
            } else {
                try protected.expectArmedPages("one touched") { $0 != 100 }
            }
            for protection in [PROT_READ, PROT_READ | PROT_WRITE] { try memory.protect(memory.page(7), protection) }
        }
        try memory.check("at the end")
    }

    private static func mprotect(_ context: Context) throws(Failure) {
        let protected = try Protected(context, async: false, chunks: 1)
        let memory = protected.memory
        try protected.showTrap()
        try protected.armAll()
        try memory.protect(memory.page(7), PROT_READ)
        try protected.expectArmedPages("after mprotect of one") { _ in true }
        try memory.protect(memory.page(7), PROT_READ | PROT_WRITE)
        for page in [6, 7, 8] { try protected.expectPageTrap(page) }
        try protected.resolve(0..<1)
        try memory.check("at the end")
    }

    private static func dontNeed(_ context: Context) throws(Failure) {
        let dontNeed: Int32 = 4  // MADV_DONTNEED
        let protected = try Protected(context, async: false, chunks: 1)
        let memory = protected.memory
        try protected.showTrap()
        try protected.armAll()
        try memory.advise(memory.page(7), dontNeed)
        memory.load(7)
        try protected.expectNoMessage("access of the dropped page")
        try protected.expectArmedPages("without page 7") { $0 != 7 }
        try protected.expectPageTrap(8)
    }

    private static func unregisterPart(_ context: Context) throws(Failure) {
        let protected = try Protected(context, async: false, chunks: 1)
        let memory = protected.memory
        let half = memory.pages / 2
        try protected.showTrap()
        try protected.armAll()
        try protected.uffd.unregister(memory.pages(0..<half))
        memory.store(5, offset: 100, 1)
        try protected.expectNoMessage("access of the unregistered half")
        try protected.expectArmedPages("the other half") { $0 >= half }
        try protected.expectPageTrap(half + 1)
    }

    private static func punchHole(_ context: Context) throws(Failure) {
        let protected = try Protected(context, async: false, chunks: 1)
        let memory = protected.memory
        try protected.showTrap()
        try protected.armAll()
        try memory.punchHole(memory.page(7))
        memory.load(7)
        try protected.expectNoMessage("access of the punched page")
        try protected.expectArmedPages("without page 7") { $0 != 7 }
        try protected.expectPageTrap(8)
    }

    private static func refault(_ context: Context) throws(Failure) {
        let protected = try Protected(context, async: false, chunks: 1)
        let memory = protected.memory
        try protected.showTrap()
        try memory.advise(memory.range, MADV_DONTNEED)
        memory.fill()
        try protected.uffd.readWriteProtect(memory.page(7))
        try protected.expectArmedPages("one armed") { $0 == 7 }
        try protected.armAll()
        for protection in [PROT_READ, PROT_READ | PROT_WRITE] { try memory.protect(memory.page(9), protection) }
        try protected.expectArmedPages("after mprotect of one") { _ in true }
        for page in [7, 300] { try protected.expectPageTrap(page) }
        try protected.resolve(0..<1)
        try memory.check("at the end")
    }

    private static func registerPart(_ context: Context) throws(Failure) {
        let first = try Protected(context, async: false, chunks: 1)
        try first.showTrap()
        let protected = Protected(first, memory: try Memory(context.kind, chunks: 1))
        let memory = protected.memory
        try memory.populate()
        try protected.uffd.register(memory.pages(5..<100), .readWriteProtect)
        try protected.uffd.readWriteProtect(memory.pages(5..<100))
        try protected.expectArmedPages("armed") { (5..<100).contains($0) }
        for page in [4, 100] { memory.store(page, offset: 100, 1) }
        try protected.expectNoMessage("access of what is not registered")
        for page in [5, 99] { try protected.expectPageTrap(page) }
        try protected.uffd.readWriteProtect(memory.pages(5..<100), false)
        try memory.check("at the end")
    }

    private static func privateMapping(_ context: Context) throws(Failure) {
        let first = try Protected(context, async: false, chunks: 1)
        try first.showTrap()
        let file = try Memory(context.kind, chunks: 1)
        try file.populate()
        let memory = try file.alias(shared: false)
        try memory.advise(memory.range, MADV_HUGEPAGE)
        try memory.check("read from the file")
        try context.expect(try memory.isHuge(0..<memory.pages), "a private mapping of huge pages is not huge")
        try first.uffd.register(memory.range, .readWriteProtect)
        let protected = Protected(first, memory: memory)
        try protected.uffd.readWriteProtect(memory.page(7))
        try protected.expectArmedPages("one armed") { $0 == 7 }
        memory.load(6)
        memory.store(8, offset: 100, 1)
        try protected.expectNoMessage("access of unarmed neighbours")
        try protected.expectPageTrap(7, .write(1), offset: 100)
        try protected.uffd.readWriteProtect(memory.range)
        for page in [7, 8, 300] { try protected.expectPageTrap(page) }
        try protected.resolve(0..<1)
        try memory.check("at the end")
        for page in [7, 8] { try context.expectEqual(file.load(page, offset: 100), 0, "the byte in the file") }
    }

    private static func truncate(_ context: Context) throws(Failure) {
        let protected = try Protected(context, async: false, chunks: 1)
        let memory = protected.memory
        try protected.showTrap()
        try protected.armAll()
        try protected.uffd.readWriteProtect(memory.page(8), false)
        for pages in [300, memory.pages] {
            if ftruncate(memory.descriptor, pages * Int(basePageSize)) != 0 {
                throw Failure(call: "ftruncate", code: cuffd_errno())
            }
            try protected.expectArmedPages("truncated") { $0 < 300 && $0 != 8 }
            try context.expect(try memory.isAccessed(8), "page 8 is not accessed any more")
        }
        try memory.checkZeroes(300..<memory.pages, "beyond the end")
        try protected.expectNoMessage("access of new pages")
        for page in [7, 299] { try protected.expectPageTrap(page) }
        try protected.resolve(0..<1)
        try memory.check(0..<300, "at the end")
    }
}
