// SPDX-License-Identifier: GPL-2.0-only

import CUserfaultfd
import Userfaultfd

/// Protection of pages that are swapped out: a bit of the swap entry, or, for shmem, a marker.
extension WriteProtect {
    static let swapping: [Scenario] = [
        tracked(
            "wp-swap-read",
            "Protection survives swap-out and swap-in by a read.",
            on: MemoryKind.swappable,
            needs: [.swap]
        ) { (_, tracked) throws(Failure) in
            try tracked.showTrap(1)
            try tracked.swapOut(0..<4)
            try tracked.expectProtected(0..<tracked.memory.pages, "while swapped out")
            try tracked.memory.check("after swap-in")
            try tracked.expectQuiet("after swap-in by reads")
            try tracked.expectProtected(0..<tracked.memory.pages, "after swap-in")
            try tracked.expectTrap(2)
        },
        tracked(
            "wp-swap-write",
            "A write to a swapped-out protected page traps, and its neighbours stay as they are.",
            on: MemoryKind.swappable,
            needs: [.swap]
        ) { (_, tracked) throws(Failure) in
            try tracked.swapOut(0..<4)
            try tracked.expectTrap(1, offset: 16)
            try tracked.memory.check("after swap-in")
            try tracked.expectTrap(2, offset: 16)
        },
        tracked(
            "wp-swap-protect",
            "Pages can be protected while they are swapped out.",
            on: MemoryKind.swappable,
            needs: [.swap],
            protected: false
        ) { (_, tracked) throws(Failure) in
            try tracked.swapOut(0..<4)
            try tracked.protect(0..<2)
            try tracked.expectProtected(0..<2, "while swapped out")
            try tracked.expectNoTrap(2, offset: 16)
            try tracked.expectTrap(0, offset: 16)
            try tracked.memory.check(0..<2, "after swap-in by a read")
            try tracked.expectTrap(1, offset: 16)
        },
        tracked(
            "wp-swap-resolve",
            "Pages can be resolved while they are swapped out.",
            on: MemoryKind.swappable,
            needs: [.swap]
        ) { (_, tracked) throws(Failure) in
            try tracked.showTrap(3)
            try tracked.swapOut(0..<4)
            try tracked.resolve(0..<2)
            try tracked.expectProtected(2..<tracked.memory.pages, "after resolving two of them")
            try tracked.expectNoTrap(0, offset: 16)
            try tracked.memory.check("after swap-in")
            try tracked.expectNoTrap(1, offset: 16)
            try tracked.expectTrap(2, offset: 16)
        },
        tracked(
            "wp-swap-unregister",
            "Unregistering takes the protection of swapped-out pages away.",
            on: MemoryKind.swappable,
            needs: [.swap]
        ) { (_, tracked) throws(Failure) in
            try tracked.showTrap(1)
            try tracked.swapOut(0..<4)
            try tracked.uffd.unregister(tracked.memory.range)
            try tracked.expectProtected(0..<0, "after unregistering")
            try tracked.memory.check("after swap-in")
            tracked.memory.fill(seed: 2)
            try tracked.memory.check(seed: 2, "after writing")
        },
        asynchronous(
            "wp-swap-async",
            "Swap-out and swap-in by a read are not reported as writes; a write to a swapped-out page is.",
            on: MemoryKind.swappable,
            needs: [.swap]
        ) { (context, tracked) throws(Failure) in
            try tracked.swapOut(0..<4)
            try tracked.expectWritten([], "while swapped out")
            try tracked.memory.check(0..<1, "after swap-in")
            try tracked.expectWritten([], "after swap-in by a read")
            try tracked.expectNoTrap(1, offset: 16)
            try tracked.expectWritten([1], "after swap-in by a write")
            context.sawTrap()
            try tracked.memory.check("at the end")
        },
        tracked(
            "wp-swapoff",
            "swapoff(2) brings protected pages back protected, with their data.",
            on: MemoryKind.swappable,
            needs: [.swap, .root, .ownMachine]
        ) { (_, tracked) throws(Failure) in
            try tracked.showTrap(1)
            try tracked.swapOut(0..<4)
            let areas = try SwapAreas.all()
            try SwapAreas.off(areas)
            defer { try? SwapAreas.on(areas) }
            try tracked.expectProtected(0..<tracked.memory.pages, "after swapoff")
            try tracked.memory.check("after swapoff")
            try tracked.expectTrap(2)
        },
    ]
}

extension Tracked {
    /// Swaps out all that reclaim takes, and these pages for sure. They are mapped first: protecting a huge page of shmem
    /// unmaps it, and what is not mapped would seem to be swapped out.
    func swapOut(_ pages: Range<Int>) throws(Failure) {
        try memory.check("before swap-out")
        let pageout: Int32 = 21  // MADV_PAGEOUT, 5.4
        try memory.advise(memory.range, pageout)
        try memory.swapOut(pages)
    }
}
