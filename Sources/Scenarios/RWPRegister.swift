// SPDX-License-Identifier: GPL-2.0-only

import CUserfaultfd
import Userfaultfd

/// Registering again what is registered already (rule G3).
enum RWPRegister {
    private static let minor: Features = [.minorShmem, .minorHugetlbfs]
    private static let writeProtect: Features = [.writeProtect, .writeProtectFiles]

    static let scenarios: [Scenario] = [
        Scenario(
            "rwp-arm-sparse",
            "arming, resolving and the scan go on behind page tables that are not there",
            rules: "P1 P2 S2",
            on: MemoryKind.base + [.hugetlb, .hugetlbPrivate],
            needs: Need.rwp,
            sparse
        ),
        Scenario(
            "rwp-register-add",
            "RWP added to a VMA of MISSING or MINOR, or they to one of RWP: both modes' accesses trap",
            rules: "G3 G4 F1",
            on: MemoryKind.all,
            needs: Need.rwp + [.features(minor)],
            add
        ),
        Scenario(
            "rwp-register-busy",
            "where a VMA further behind would lose its protection, or is another's, none is registered: EBUSY",
            rules: "G3",
            on: [.anon, .shmem, .hugetlb],
            needs: Need.rwp + [.features(writeProtect)],
            busy
        ),
    ]

    private static func add(_ context: Context) throws(Failure) {
        for mode in [RegisterMode.missing] + (context.kind.isShared ? [.minor] : []) {
            // RWP comes last, or first and then the other mode to all of it or to a part.
            for (first, part) in [(mode, 0..<4), (.readWriteProtect, 0..<4), (.readWriteProtect, 2..<4)] {
                let protected = try Protected(context, async: false, mode: first)
                let (uffd, memory) = (protected.uffd, protected.memory)
                try memory.advise(memory.chunk(3), MADV_DONTNEED)
                if mode == .missing && !context.kind.isAnonymous { try memory.punchHole(memory.chunk(3)) }
                if first == .readWriteProtect { try protected.arm(0..<3) }
                let ioctls = try uffd.register(memory.chunks(part), [.readWriteProtect, mode])
                try context.expect(ioctls.contains(.readWriteProtect), "ioctls are \(ioctls.rawValue)")
                for chunk in 0..<4 {
                    let flags = try AddressSpace.vmFlags("um", "ui", "ur", at: memory.chunk(chunk).start)
                    let isPart = part.contains(chunk)
                    try context.expect(
                        flags == [isPart && mode == .missing, isPart && mode == .minor, true],
                        "smaps of chunk \(chunk), mode \(mode.rawValue) after \(first.rawValue)"
                    )
                }
                if first != .readWriteProtect {
                    // What was mapped huge can be armed page by page.
                    try uffd.readWriteProtect(memory.page(1))
                    try memory.expectUffdBit(on: 1..<2, context, "one page armed")
                    try protected.arm(0..<3)
                }
                for chunk in 0..<3 { try protected.expectTrap(chunk, chunk == 1 ? .write(1) : .read, offset: 100) }
                let page = memory.firstPage(3)
                let reader = try Access.read(memory, page)
                try context.expectFault(uffd, at: memory.address(page), mode == .minor ? .minor : [])
                if mode == .minor {
                    try uffd.continue(memory.chunk(3))
                } else {
                    try uffd.copyPattern(memory, page)
                }
                try reader.finish()
                try memory.check(0..<(page + 1), "at the end")
                try uffd.unregister(memory.range)
                try memory.unmap()
            }
        }
    }

    /// Plain memory, and behind it what is registered for RWP, for WP, or for RWP by another userfaultfd.
    private static func busy(_ context: Context) throws(Failure) {
        let (missing, wp, rwp): (RegisterMode, RegisterMode, RegisterMode) = (
            .missing, .writeProtect, .readWriteProtect
        )
        for (mode, isOther) in [(rwp, false), (wp, false), (rwp, true)] {
            let protected = try Protected(context, async: false, mode: mode, features: writeProtect)
            let (uffd, memory) = (protected.uffd, protected.memory)
            let caller = isOther ? try Userfaultfd(features: writeProtect.union(.readWriteProtect)) : uffd
            try uffd.unregister(memory.chunks(0..<2))
            let armed = memory.chunks(2..<4)
            if mode == rwp { try uffd.readWriteProtect(armed) } else { try uffd.writeProtect(armed) }
            let wanted = [missing, wp, rwp, [missing, wp], [missing, rwp]]
            for bad in wanted where isOther || !bad.contains(mode) {
                try context.expectErrno(.busy, "mode \(bad.rawValue)") { () throws(Failure) in
                    try caller.register(memory.range, bad)
                }
                for chunk in 0..<4 {
                    let flags = try AddressSpace.vmFlags("um", "uw", "ur", at: memory.chunk(chunk).start)
                    try context.expect(
                        flags == [false, chunk > 1 && mode == wp, chunk > 1 && mode == rwp],
                        "smaps of chunk \(chunk) after a refused mode \(bad.rawValue)"
                    )
                }
            }
            try memory.expectUffdBit(on: memory.pageNumbers(2..<4), context, "after the refused calls")
            memory.fill(memory.pageNumbers(0..<2))
            for chunk in 2..<4 {
                let page = memory.firstPage(chunk)
                let writer = try Access.write(memory, page, offset: 100, 1)
                let flags: FaultFlags = mode == rwp ? .readWriteProtect : .writeProtect
                try context.expectFault(uffd, at: memory.address(page), flags.union(.write))
                if mode == rwp {
                    try uffd.readWriteProtect(memory.chunk(chunk), false)
                } else {
                    try uffd.writeProtect(memory.chunk(chunk), false)
                }
                try writer.finish()
            }
            try memory.check("at the end")
        }
    }

    private static func sparse(_ context: Context) throws(Failure) {
        let protected = try Protected(context, async: false)
        try protected.showTrap()
        // A directory of page tables is as large as a table of huge pages.
        let memory = try Memory(context.kind, tables: context.kind.isHugetlb ? 1 : 2, count: 2)
        let filled = [memory.pages / 4 * 3, memory.pages - 1]
        for page in filled { memory.fill(page..<(page + 1)) }
        let region = try Protected(context, async: false, memory: memory)
        try region.uffd.readWriteProtect(memory.range)
        for page in filled { try context.expect(try memory.entry(page).isUffd, "page \(page) is not armed") }
        try context.expectEqual(try accessed(memory), 0, "accessed bytes of what is armed")
        try region.expectPageTrap(filled[1])
        try context.expectEqual(try accessed(memory), memory.pageSize, "accessed bytes when one was read")
        try region.uffd.readWriteProtect(memory.range, false)
        for page in filled { try memory.check(page..<(page + 1), "resolved") }
        try region.expectNoMessage("access of what is resolved")
        try context.expectEqual(try accessed(memory), 2 * memory.pageSize, "accessed bytes of what is resolved")
    }

    /// How many bytes of a memory a scan reports as accessed.
    private static func accessed(_ memory: Memory) throws(Failure) -> UInt {
        let pagemap = try Pagemap()
        defer { pagemap.close() }
        let regions = try pagemap.scan(memory.range, ScanQuery(all: .accessed, report: .accessed)).regions
        return regions.reduce(0) { $0 + $1.range.length }
    }
}
