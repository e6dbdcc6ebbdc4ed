// SPDX-License-Identifier: GPL-2.0-only

import CUserfaultfd
import Userfaultfd

/// `uffdio_register.ioctls`: which calls a range offers, by mode and memory kind.
extension API {
    static let offers: [Scenario] = [
        offer("api-ioctls-missing", "MISSING: everything but CONTINUE and WRITEPROTECT.", MemoryKind.all, .missing),
        offer(
            "api-ioctls-wp",
            "WP: WRITEPROTECT, not CONTINUE.",
            MemoryKind.all,
            .writeProtect,
            needs: [.features(Tracked.features)]
        ),
        offer(
            "api-ioctls-missing-wp",
            "MISSING and WP: WRITEPROTECT, not CONTINUE.",
            MemoryKind.all,
            [.missing, .writeProtect],
            needs: [.features(Tracked.features)]
        ),
        offer("api-ioctls-minor", "MINOR: CONTINUE, not WRITEPROTECT.", MemoryKind.shared, .minor),
        offer(
            "api-ioctls-missing-minor-wp",
            "All three modes: CONTINUE and WRITEPROTECT.",
            MemoryKind.shared,
            [.missing, .minor, .writeProtect],
            needs: [.features(Tracked.features)]
        ),
        offer(
            "api-ioctls-rwp",
            "RWP: RWPROTECT, not WRITEPROTECT or CONTINUE.",
            MemoryKind.all,
            .readWriteProtect,
            rules: "G4",
            needs: [.features(.readWriteProtect)]
        ),
        offer(
            "api-ioctls-missing-rwp",
            "MISSING and RWP: RWPROTECT, not WRITEPROTECT or CONTINUE.",
            MemoryKind.all,
            [.missing, .readWriteProtect],
            rules: "G1 G4",
            needs: [.features(.readWriteProtect)]
        ),
        offer(
            "api-ioctls-minor-rwp",
            "MINOR and RWP: RWPROTECT and CONTINUE, not WRITEPROTECT.",
            MemoryKind.shared,
            [.minor, .readWriteProtect],
            rules: "G1 G4",
            needs: [.features(.readWriteProtect)]
        ),
        offer(
            "api-ioctls-missing-minor-rwp",
            "MISSING, MINOR and RWP: RWPROTECT and CONTINUE, not WRITEPROTECT.",
            MemoryKind.shared,
            [.missing, .minor, .readWriteProtect],
            rules: "G1 G4",
            needs: [.features(.readWriteProtect)]
        ),
        Scenario(
            "api-ioctls-mixed",
            "A range over anonymous memory and hugetlb offers what both have: no ZEROPAGE, no MOVE.",
            on: [.hugetlb, .hugetlbPrivate],
            traps: false
        ) { (context) throws(Failure) in
            let memory = try Memory(context.kind, pages: 1)
            let flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED
            let before = memory.range.start - basePageSize
            try checked("mmap", cuffd_mmap(before, basePageSize, PROT_READ | PROT_WRITE, flags, -1, 0))
            let both = AddressRange(start: before, length: basePageSize + memory.range.length)
            let uffd = try Userfaultfd(features: [])
            let ioctls = try uffd.register(both, .missing)
            try context.expectEqual(ioctls.rawValue, expected(.missing, hugetlb: true).rawValue, "ioctls of the range")
        },
    ]

    private static func offer(
        _ name: StaticString,
        _ summary: StaticString,
        _ kinds: [MemoryKind],
        _ mode: RegisterMode,
        rules: StaticString = "",
        needs: [Need] = []
    ) -> Scenario {
        Scenario(name, summary, rules: rules, on: kinds, needs: needs, traps: false) { (context) throws(Failure) in
            let memory = try Memory(context.kind, pages: 1)
            let wanted = expected(mode, hugetlb: context.kind.isHugetlb)
            // The mode tells, not what was negotiated.
            for features in [[], try available(.readWriteProtect)]
            where features != [] || !mode.contains(.readWriteProtect) {
                let uffd = try Userfaultfd(features: features)
                for _ in 0..<2 {
                    let ioctls = try uffd.register(memory.range, mode)
                    try context.expectEqual(ioctls.rawValue, wanted.rawValue, "ioctls of the range")
                }
                uffd.close()
            }
        }
    }

    /// What ioctl_userfaultfd(2) says of a mode, and the contract's rule G4.
    private static func expected(_ mode: RegisterMode, hugetlb: Bool) -> Ioctls {
        var ioctls: Ioctls = [.wake, .copy, .poison]
        if !hugetlb { ioctls.formUnion([.zeropage, .move]) }
        if mode.contains(.writeProtect) { ioctls.insert(.writeProtect) }
        if mode.contains(.minor) { ioctls.insert(.continue) }
        if mode.contains(.readWriteProtect) { ioctls.insert(.readWriteProtect) }
        return ioctls
    }
}
