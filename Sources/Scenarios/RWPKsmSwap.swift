// SPDX-License-Identifier: GPL-2.0-only

import Userfaultfd

/// Merged pages that are swapped out. The first that comes back has the frame; each of the others gets a copy of its own
/// (rules B1, L1).
enum RWPKsmSwap {
    static let scenarios: [Scenario] = [
        swapped("rwp-ksm-swap", "traps, one by one, as they come back") { (merged) throws(Failure) in
            for page in 1..<Merged.count where page != Merged.unarmed { try merged.protected.expectPageTrap(page) }
            merged.memory.load(Merged.unarmed)
            try merged.protected.expectNoMessage("access of the unarmed page")
        },
        swapped("rwp-ksm-swapoff", "swapoff(2) brings them back armed") { (merged) throws(Failure) in
            let swaps = try SwapAreas.all()
            try SwapAreas.off(swaps)
            defer { try? SwapAreas.on(swaps) }
            try merged.expect([], "after swapoff")
            for page in [1, 2] { try merged.protected.expectPageTrap(page) }
        },
    ]

    private static func swapped(
        _ name: StaticString,
        _ what: StaticString,
        _ act: @escaping @Sendable (Merged) throws(Failure) -> Void
    ) -> Scenario {
        Scenario(
            name,
            what,
            rules: "B1 L1 F1",
            on: [.anon, .shmemPrivate],
            needs: Need.rwp + KSM.needs + MemoryLimit.needs
        ) { (context) throws(Failure) in
            // MADV_PAGEOUT leaves alone what is mapped more than once.
            let limit = try MemoryLimit()
            let merged = try Merged(context, async: false, zero: false)
            for page in 0..<Merged.count {
                while try merged.memory.entry(page).isPresent { try limit.reclaim(1 << 20) }
            }
            try merged.expect([], "swapped out")
            try act(merged)
            try merged.expectData("at the end")
            try limit.end()
        }
    }
}
