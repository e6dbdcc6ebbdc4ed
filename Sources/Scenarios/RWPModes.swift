// SPDX-License-Identifier: GPL-2.0-only

import CUserfaultfd
import Userfaultfd

/// What registration changes of a mapping, and who may arm it (rules G5, P1, L5).
enum RWPModes {
    static let scenarios: [Scenario] = [
        Scenario(
            "rwp-register-merge",
            "registering the middle splits the VMA, unregistering makes it one again",
            rules: "G5 L6",
            on: MemoryKind.all,
            needs: Need.rwp,
            merge
        ),
        Scenario(
            "rwp-register-fault-around",
            "a read of registered file memory maps that page alone",
            rules: "G5 S2",
            on: [.shmem, .shmemPrivate],
            needs: Need.rwp,
            faultAround
        ),
        Scenario(
            "rwp-register-pmd-sharing",
            "registered hugetlb mappings of one file share no page table: an arm of one is no arm of the other",
            rules: "G5 P1",
            on: [.hugetlb],
            needs: Need.rwp,
            pmdSharing
        ),
        Scenario(
            "rwp-register-two",
            "two userfaultfds of one process: each one's messages and unregistering are its own",
            rules: "F1 L6",
            on: MemoryKind.all,
            needs: Need.rwp,
            two
        ),
        Scenario(
            "rwp-arm-state",
            "arming and resolving change neither frames nor soft-dirty",
            rules: "P3",
            on: MemoryKind.withoutHugetlb,
            needs: Need.rwp + [.softDirty, .root],
            armState
        ),
        Scenario(
            "rwp-arm-state-parts",
            "arming and resolving parts of a huge page that was written to makes none of its pages soft-dirty",
            rules: "P3",
            on: [.anonTHP, .shmemTHP],
            needs: Need.rwp + [.softDirty, .root],
            armStateOfParts
        ),
        poison("rwp-copy-poison", "a poisoned address stays poisoned and is never armed", rules: "P1", scans: false),
        poison("rwp-scan-poison", "a poisoned address is never accessed", rules: "S2", scans: true),
    ]

    private static func merge(_ context: Context) throws(Failure) {
        let protected = try Protected(context, async: false)
        let memory = protected.memory
        try protected.showTrap()
        try protected.uffd.unregister(memory.range)
        // hugetlb VMAs are VM_DONTEXPAND, which never merge.
        let merged = context.kind.isHugetlb ? 3 : 1
        for round in 0..<2 {
            try protected.uffd.register(memory.chunks(1..<3), .readWriteProtect)
            try context.expectEqual(try AddressSpace.mappings(in: memory.range), 3, "VMAs, round \(round)")
            try protected.arm(1..<3)
            try protected.uffd.unregister(memory.range)
            try context.expectEqual(try AddressSpace.mappings(in: memory.range), merged, "VMAs unregistered")
            try memory.check("unregistered")
        }
    }

    private static func faultAround(_ context: Context) throws(Failure) {
        let protected = try Protected(context, async: true, chunks: 32, populated: false)
        let memory = protected.memory
        try memory.alias().fill()
        memory.load(8)
        try protected.expectAccessed([8], "one page read, 31 in the page cache")
        try protected.arm(8..<9)
        try protected.expectAccessed([], "armed")
        try memory.check(8..<9, "read")
        try protected.expectAccessed([8], "read again")
        context.sawTrap()
    }

    /// Page tables of hugetlb are shared for whole gigabytes (on x86_64; for what one PUD maps, that is).
    private static func pmdSharing(_ context: Context) throws(Failure) {
        let page = try Memory.hugePageSize(.hugetlb)
        let unit = page * (page / basePageSize / (basePageSize / 4096))
        let file = try Memory(.hugetlb, chunks: 1)
        if ftruncate(file.descriptor, Int(unit)) != 0 { throw Failure(call: "ftruncate", code: cuffd_errno()) }
        cuffd_store8(file.range.start, 0x5A)
        let uffd = try Userfaultfd(features: [.readWriteProtect, .readWriteProtectAsync])
        for before: RegisterMode in [[], .readWriteProtect, .missing] {
            var views: [AddressRange] = []
            for _ in 0..<2 {
                let flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE
                let room = UInt(try checked("mmap", cuffd_mmap(0, 2 * unit, PROT_NONE, flags, -1, 0)))
                let start = (room + unit - 1) / unit * unit
                let shared = MAP_SHARED | MAP_FIXED | MAP_NORESERVE
                try checked("mmap", cuffd_mmap(start, unit, PROT_READ | PROT_WRITE, shared, file.descriptor, 0))
                views.append(AddressRange(start: start, length: unit))
            }
            if before != [] { for view in views { try uffd.register(view, before) } }
            for view in views { try context.expectEqual(cuffd_load8(view.start), 0x5A, "the byte read") }
            for view in views { try uffd.register(view, before.union(.readWriteProtect)) }
            // What registering unshared is unpopulated, and comes back by a fault.
            for view in views { try context.expectEqual(cuffd_load8(view.start), 0x5A, "the byte read") }
            let pagemap = try Pagemap()
            defer { pagemap.close() }
            try uffd.readWriteProtect(AddressRange(start: views[0].start, length: page))
            for (index, view) in views.enumerated() {
                try context.expect(try pagemap.entry(view.start).isUffd == (index == 0), "arm of mapping \(index)")
            }
            try context.expectEqual(cuffd_load8(views[0].start), 0x5A, "the byte read")
            try context.expect(try !pagemap.entry(views[0].start).isUffd, "the touched page is still armed")
            context.sawTrap()
        }
    }

    private static func two(_ context: Context) throws(Failure) {
        let one = try Protected(context, async: false)
        let other = try Protected(context, async: false)
        for protected in [one, other] { try protected.showTrap() }
        try one.armAll()
        try other.armAll()
        try other.expectTrap(1, .read)
        try one.expectNoMessage("a trap of the other's memory")
        other.uffd.close()
        try other.memory.check("after its userfaultfd was closed")
        try one.expectAccessed([], "after the other was closed")
        try one.expectTrap(2, .write(1), offset: 100)
        try one.resolve(0..<4)
        // The contract leaves open who may arm; what is armed is its own monitor's to resolve.
        let stranger = try Userfaultfd(features: .readWriteProtect)
        var arms = true
        do throws(Failure) {
            try stranger.readWriteProtect(one.memory.chunk(3))
        } catch {
            arms = false
            context.note("through another userfaultfd: \(error.message)")
        }
        try one.expectAccessed(arms ? [0, 1, 2] : [0, 1, 2, 3], "armed through another userfaultfd")
        if arms { try one.expectTrap(3, .read) }
        try one.memory.check("at the end")
    }

    private static func armState(_ context: Context) throws(Failure) {
        let protected = try Protected(context, async: false)
        let memory = protected.memory
        try protected.showTrap()
        let frames = try memory.frames()
        try FileAccess.write("/proc/self/clear_refs", "4")
        memory.store(memory.firstPage(2), offset: 100, 1)
        for _ in 0..<2 {
            for arms in [true, false] {
                try protected.uffd.readWriteProtect(memory.range, arms)
                let dirty = try protected.categories(.softDirty)
                try context.expect(dirty == [false, false, true, false], "soft-dirty chunks are \(words(dirty))")
                try context.expect(try memory.frames() == frames, "frames changed")
            }
            try memory.check("resolved")
        }
        try protected.armAll()
        try protected.expectTrap(1, .write(1), offset: 100)
        let dirty = try protected.categories(.softDirty)
        try context.expect(dirty == [false, true, true, false], "after a write soft-dirty chunks are \(words(dirty))")
    }

    /// All pages are dirty and none is soft-dirty, which a page table has in batches; then one is.
    private static func armStateOfParts(_ context: Context) throws(Failure) {
        let protected = try Protected(context, async: false, chunks: 1)
        let (uffd, memory) = (protected.uffd, protected.memory)
        try protected.showTrap()
        memory.fill()
        try FileAccess.write("/proc/self/clear_refs", "4")
        var written = -1
        for (part, arms) in [(3..<4, true), (0..<memory.pages, true), (5..<200, false), (0..<memory.pages, false)] {
            try uffd.readWriteProtect(memory.pages(part), arms)
            for page in 0..<memory.pages where try memory.entry(page).isSoftDirty != (page == written) {
                throw Failure("page \(page), written \(written), after \(arms ? "" : "un")protecting")
            }
            if arms { continue }
            memory.store(7, offset: 100, 1)
            written = 7
        }
        try memory.check("at the end")
    }

    private static func words(_ flags: [Bool]) -> String {
        flags.reduce(into: "") { $0 += $1 ? " yes" : " no" }
    }

    private static func poison(
        _ name: StaticString,
        _ what: StaticString,
        rules: StaticString,
        scans: Bool
    ) -> Scenario {
        Scenario(name, what, rules: rules, on: MemoryKind.all, needs: Need.rwp + [.features(.poison)]) {
            (context) throws(Failure) in
            let mode: RegisterMode = [.readWriteProtect, .missing]
            let protected = try Protected(context, async: false, mode: mode, features: .poison, populated: false)
            let memory = protected.memory
            try protected.uffd.poison(memory.page(0))
            for page in 1..<3 { try protected.uffd.copyPattern(memory, page) }
            for arms in [true, false, true] {
                try protected.uffd.readWriteProtect(memory.pages(0..<3), arms)
                for page in 0..<3 {
                    try context.expect(try memory.entry(page).isUffd == (arms && page > 0), "arm of page \(page)")
                }
                let probe = Probe.read(memory.address(0))
                try context.expectEqual(probe.signal, SIGBUS, "signal of the poisoned page")
                if scans { try context.expect(try !memory.isAccessed(0), "a poisoned page is accessed") }
                try context.expect(try memory.isAccessed(1) != arms, "page 1 is accessed exactly if it is not armed")
            }
            try protected.expectPageTrap(1)
            try protected.uffd.unregister(memory.range)
            try context.expectEqual(Probe.read(memory.address(0)).signal, SIGBUS, "signal after unregister")
            try memory.check(1..<3, "at the end")
        }
    }
}
