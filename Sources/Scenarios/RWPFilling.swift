// SPDX-License-Identifier: GPL-2.0-only

import CUserfaultfd
import Userfaultfd

/// What fills pages meets protected ones, or asks for the other protection (rules G1, L5).
enum RWPFilling {
    private static let features: Features = [.writeProtect, .writeProtectFiles, .poison, .move]

    static let scenarios: [Scenario] = [
        Scenario(
            "rwp-copy-wp",
            "COPY and CONTINUE with MODE_WP into an RWP VMA: EINVAL, and no page arrives",
            rules: "L5 G1",
            on: MemoryKind.all,
            needs: Need.rwp + [.features(Tracked.features.union([.minorShmem, .minorHugetlbfs]))],
            writeProtected
        ),
        Scenario(
            "rwp-copy-exists",
            "COPY, ZEROPAGE, POISON and MOVE over an armed page: EEXIST, and the arm stays",
            rules: "L5 F1",
            on: MemoryKind.all,
            needs: Need.rwp + [.features(features)]
        ) { (context) throws(Failure) in try exists(context, .readWriteProtect) },
        Scenario(
            "rwp-copy-exists-swapped",
            "COPY, ZEROPAGE, POISON and MOVE over an armed page that is swapped out: EEXIST, and the arm stays",
            rules: "L5 L1 F1",
            on: RWPSwap.kinds,
            needs: Need.rwp + [.swap, .features(features)]
        ) { (context) throws(Failure) in try exists(context, .readWriteProtect, swapped: true) },
    ]

    /// The same for write protection.
    static let writeProtect: [Scenario] = [
        Scenario(
            "wp-exists",
            "COPY, ZEROPAGE, POISON and MOVE over a protected page: EEXIST, and the protection stays.",
            on: MemoryKind.all,
            needs: [.features(features)]
        ) { (context) throws(Failure) in try exists(context, .writeProtect) },
        Scenario(
            "wp-exists-swapped",
            "COPY, ZEROPAGE, POISON and MOVE over a protected page that is swapped out: EEXIST, and both stay.",
            on: RWPSwap.kinds,
            needs: [.swap, .features(features)]
        ) { (context) throws(Failure) in try exists(context, .writeProtect, swapped: true) },
    ]

    private static func writeProtected(_ context: Context) throws(Failure) {
        for base in [RegisterMode.missing] + (context.kind.isShared ? [.minor] : []) {
            let mode = base.union(.readWriteProtect)
            let protected = try Protected(
                context,
                async: false,
                mode: mode,
                features: Tracked.features,
                populated: false
            )
            let (uffd, memory) = (protected.uffd, protected.memory)
            if base == .minor { try memory.alias().fill(0..<1) }
            for fill: Userfaultfd.FillMode in [.writeProtect, []] {
                let call = { () throws(Failure) in
                    if base == .minor {
                        try uffd.continue(memory.page(0), fill)
                    } else {
                        try uffd.copyPattern(memory, 0, fill)
                    }
                }
                if fill == [] {
                    try call()
                } else {
                    try context.expectErrno(.invalid, "MODE_WP", call)
                    let entry = try memory.entry(0)
                    try context.expect(!entry.isPresent && !entry.isUffd, "the refused call left something")
                }
            }
            try protected.uffd.readWriteProtect(memory.page(0))
            try protected.expectTrap(0, .read)
            try memory.check(0..<1, "at the end")
        }
    }

    /// Of four chunks one is protected, and perhaps swapped out.
    private static func exists(
        _ context: Context,
        _ mode: RegisterMode,
        swapped: Bool = false
    ) throws(Failure) {
        let isRWP = mode == .readWriteProtect
        let uffd = try Userfaultfd(features: isRWP ? features.union(.readWriteProtect) : features)
        let memory = try Memory(context.kind, chunks: 4)
        try memory.populate()
        try uffd.register(memory.range, mode.union(.missing))
        let (chunk, page) = (memory.chunk(1), memory.firstPage(1))
        if isRWP { try uffd.readWriteProtect(chunk) } else { try uffd.writeProtect(chunk) }
        if swapped { try memory.swapOut(memory.pageNumbers(1..<2)) }
        let before = try memory.entry(page)
        try context.expect(before.isUffd && !(swapped && before.isPresent), "pagemap before")
        let source = try Memory(.anon, pages: 1)
        source.fill(seed: 3)

        let isHugetlb = context.kind.isHugetlb
        for call in 0..<4 where call < 2 || (call == 2 && !isHugetlb) || context.kind.isAnonymous {
            try context.expectErrno(.exists, "call \(call)") { () throws(Failure) in
                switch call {
                case 0: try uffd.copyPattern(memory, page, seed: 2)
                case 1: try uffd.poison(memory.page(page))
                case 2: try uffd.zeropage(memory.page(page))
                default: try uffd.move(to: memory.page(page), from: source.range.start)
                }
            }
            let entry = try memory.entry(page)
            // What is in memory may have migrated; the swap entry is the same.
            let isThere = before.isPresent && entry.isPresent && entry.isUffd
            try context.expect(isThere || entry == before, "pagemap has another entry after call \(call)")
        }
        try source.check(seed: 3, "what was not moved")
        let writer = try Access.write(memory, page, offset: 100, 1)
        let flags: FaultFlags = isRWP ? .readWriteProtect : .writeProtect
        try context.expectFault(uffd, at: memory.address(page), flags.union(.write))
        if isRWP { try uffd.readWriteProtect(chunk, false) } else { try uffd.writeProtect(chunk, false) }
        try writer.finish()
        try context.expectEqual(memory.load(page, offset: 100), 1, "the byte written")
        try memory.check("at the end")
    }
}
