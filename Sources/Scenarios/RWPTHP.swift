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
            "an access of one byte of an armed huge page traps and keeps data",
            rules: "F1 B3",
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
    ]

    private static func armOne(_ context: Context) throws(Failure) {
        let protected = try Protected(context, async: false, chunks: 1)
        let memory = protected.memory
        try protected.showTrap()
        try protected.uffd.readWriteProtect(memory.page(7))
        try expectArmed(protected, [7])
        memory.load(6)
        memory.store(8, offset: 100, 1)
        try protected.expectNoMessage("access of unarmed neighbours")
        try expectPageTrap(protected, 7)
        try memory.check("at the end")
    }

    private static func resolveOne(_ context: Context) throws(Failure) {
        let protected = try Protected(context, async: false, chunks: 1)
        let memory = protected.memory
        try protected.showTrap()
        try protected.armAll()
        try protected.uffd.readWriteProtect(memory.page(7), false)
        memory.store(7, offset: 100, 1)
        try protected.expectNoMessage("access of the resolved page")
        try expectArmed(protected, (0..<memory.pages).filter { $0 != 7 })
        try expectPageTrap(protected, 8)
        try protected.resolve(0..<1)
        try memory.check("at the end")
    }

    private static func touchOne(_ context: Context) throws(Failure) {
        let protected = try Protected(context, async: true, chunks: 1)
        let memory = protected.memory
        try protected.showTrap()
        try protected.armAll()
        memory.store(100, offset: 100, 1)
        try context.expect(try !memory.entry(100).isUffd, "the touched page is still armed")
        context.sawTrap()
        try memory.check("at the end")
    }

    private static func mprotect(_ context: Context) throws(Failure) {
        let protected = try Protected(context, async: false, chunks: 1)
        let memory = protected.memory
        try protected.showTrap()
        try protected.armAll()
        try memory.protect(memory.page(7), PROT_READ)
        try expectArmed(protected, Array(0..<memory.pages))
        try memory.protect(memory.page(7), PROT_READ | PROT_WRITE)
        for page in [6, 7, 8] { try expectPageTrap(protected, page) }
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
        try expectArmed(protected, (0..<memory.pages).filter { $0 != 7 })
        try expectPageTrap(protected, 8)
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
        try expectArmed(protected, Array(half..<memory.pages))
        try expectPageTrap(protected, half + 1)
    }

    private static func punchHole(_ context: Context) throws(Failure) {
        let protected = try Protected(context, async: false, chunks: 1)
        let memory = protected.memory
        try protected.showTrap()
        try protected.armAll()
        try memory.punchHole(memory.page(7))
        memory.load(7)
        try protected.expectNoMessage("access of the punched page")
        try expectArmed(protected, (0..<memory.pages).filter { $0 != 7 })
        try expectPageTrap(protected, 8)
    }

    /// Fails unless exactly these pages are armed.
    private static func expectArmed(_ protected: Protected, _ expected: [Int]) throws(Failure) {
        let memory = protected.memory
        var expectedArmed = [Bool](repeating: false, count: memory.pages)
        for page in expected { expectedArmed[page] = true }
        for page in 0..<memory.pages {
            let armed = try memory.entry(page).isUffd
            if armed != expectedArmed[page] {
                throw Failure("page \(page) is \(armed ? "" : "not ")armed, expected the opposite")
            }
        }
    }

    /// Reads a page from another thread, expects its trap and resolves that page alone.
    private static func expectPageTrap(_ protected: Protected, _ page: Int) throws(Failure) {
        let memory = protected.memory
        let thread = try Thread { () throws(Failure) in memory.load(page) }
        let fault = try protected.uffd.nextFault()
        try protected.context.expect(fault.flags == .readWriteProtect, "flags of the trap of page \(page)")
        try protected.context.expect(memory.page(page).contains(fault.address), "address of the trap of page \(page)")
        protected.context.sawTrap()
        try protected.uffd.readWriteProtect(memory.page(page), false)
        try thread.join()
    }
}
