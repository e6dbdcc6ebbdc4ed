// SPDX-License-Identifier: GPL-2.0-only

import Userfaultfd

/// NUMA balancing beside write protection: a protected page that is hinted, too, is not one of RWP's.
extension WriteProtect {
    static let balancing: [Scenario] = [
        Scenario(
            "wp-numa-hinting",
            "Hinting faults are counted and never delivered; protected pages stay so, are read, and trap on writes.",
            on: Hinting.kinds,
            needs: [.features(Tracked.features)] + Hinting.needs,
            seconds: 60
        ) { (context) throws(Failure) in
            let tracked = try Tracked(context)
            try tracked.protect()
            try tracked.showTrap()
            try Hinting.often { () throws(Failure) in try underHinting(context) }
        }
    ]

    /// The first half has protected pages among others, the second is protected.
    private static func underHinting(_ context: Context) throws(Failure) {
        let tracked = try Tracked(context, pages: context.kind.isTHP ? 2 * Memory(.anonTHP, chunks: 1).pages : 128)
        let memory = tracked.memory
        let half = memory.pages / 2
        let isProtected: @Sendable (Int) -> Bool = { $0 % 8 < 3 || $0 >= half }
        try tracked.protect(half..<memory.pages)
        for run in stride(from: 0, to: half, by: 8) { try tracked.protect(run..<(run + 3)) }
        try Hinting.under(memory, pages: memory.pages) { page, walker, round in
            if isProtected(page) {
                memory.load(page)
            } else {
                memory.store(page, offset: 64 + UInt(walker), round)
            }
        } check: { () throws(Failure) in
            try tracked.expectQuiet("under hinting")
            try memory.expectUffdBit("under hinting", isProtected)
        }
        for page in [0, half, memory.pages - 1] { try tracked.expectTrap(page, offset: 100) }
        try memory.check("at the end")
    }
}
