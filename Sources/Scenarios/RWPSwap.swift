// SPDX-License-Identifier: GPL-2.0-only

import CUserfaultfd
import Userfaultfd

/// Swap and read-write protection (rule L1).
enum RWPSwap {
    /// Kinds whose swapped-out pages leave a swap entry in the page table.
    static let kinds: [MemoryKind] = [.anon, .anonTHP, .shmemPrivate]

    static let scenarios: [Scenario] = [
        Scenario(
            "rwp-swap-read",
            "a read of a swapped-out armed page traps and gives its data",
            rules: "L1 F1",
            on: kinds,
            needs: Need.rwp + [.swap],
            read
        ),
        Scenario(
            "rwp-swap-write",
            "a write to a swapped-out armed page traps and lands",
            rules: "L1 F1",
            on: kinds,
            needs: Need.rwp + [.swap],
            write
        ),
        Scenario(
            "rwp-swap-async",
            "asynchronously, swap-out and swap-in change neither arm nor access",
            rules: "L1 F2 S2",
            on: kinds,
            needs: Need.rwp + [.swap],
            async
        ),
        Scenario(
            "rwp-swap-swapoff",
            "swapoff brings armed pages back armed",
            rules: "L1",
            on: kinds,
            needs: Need.rwp + [.swap, .root],
            seconds: 60,
            swapOff
        ),
        Scenario(
            "rwp-swap-shared-entry",
            "a swap entry shared with a child by fork: each side keeps its own state",
            rules: "L1 L3",
            on: kinds,
            needs: Need.rwp + [.swap],
            sharedEntry
        ),
        Scenario(
            "rwp-swap-unarmed",
            "swapped-out unarmed pages never trap",
            rules: "L1 P1",
            on: kinds,
            needs: Need.rwp + [.swap],
            unarmed
        ),
        Scenario(
            "rwp-swap-gup",
            "GUP of a swapped-out armed page traps, is refused where it cannot wait, or resolves, and gets its data",
            rules: "L1 F5 F1 F2",
            on: kinds,
            needs: Need.rwp + [.swap]
        ) { (context) throws(Failure) in
            for isAsync in [true, false] { try gup(context, async: isAsync) }
        },
        Scenario(
            "rwp-swap-cold",
            "MADV_COLD leaves arms alone",
            rules: "L1",
            on: MemoryKind.all.filter { !$0.isHugetlb },
            needs: Need.rwp,
            cold
        ),
    ]

    private static func read(_ context: Context) throws(Failure) {
        let protected = try Protected(context, async: false)
        let memory = protected.memory
        try protected.armAll()
        try memory.swapOut(0..<memory.pages)
        try protected.expectAccessed([], "swapped out")
        try touchAll(protected, .read)
        try memory.check("read back")
    }

    private static func write(_ context: Context) throws(Failure) {
        let protected = try Protected(context, async: false)
        let memory = protected.memory
        try protected.armAll()
        try memory.swapOut(0..<memory.pages)
        try touchAll(protected, .write(0x77))
        for chunk in 0..<4 {
            try context.expectEqual(memory.load(memory.firstPage(chunk), offset: 100), 0x77, "the byte written")
        }
        try memory.check("read back")
    }

    private static func async(_ context: Context) throws(Failure) {
        let protected = try Protected(context, async: true)
        let memory = protected.memory
        try protected.showTrap()
        try protected.armAll()
        memory.load(memory.firstPage(3))
        try memory.swapOut(0..<memory.pages)
        try protected.expectAccessed([3], "swapped out")
        try memory.check(memory.pageNumbers(1..<2), "read back")
        memory.store(memory.firstPage(2), offset: 100, 4)
        try memory.check(memory.pageNumbers(2..<3), "written")
        let accessed = try protected.accessed()
        try context.expect(!accessed[0], "a swapped-out armed chunk that nobody touched is accessed")
        try context.expect(accessed[1] && accessed[2] && accessed[3], "a touched chunk is not accessed")
        try memory.check("at the end")
    }

    private static func swapOff(_ context: Context) throws(Failure) {
        let protected = try Protected(context, async: false)
        let memory = protected.memory
        try protected.showTrap()
        try protected.arm(1..<4)
        try memory.swapOut(0..<memory.pages)
        let swaps = try SwapAreas.all()
        try SwapAreas.off(swaps)
        defer { try? SwapAreas.on(swaps) }
        for page in 0..<memory.pages {
            try context.expect(try memory.entry(page).isPresent, "page \(page) is not present after swapoff")
        }
        try protected.expectAccessed([0], "after swapoff")
        for chunk in 1..<4 { try protected.expectTrap(chunk, .read) }
        try memory.check("at the end")
    }

    private static func sharedEntry(_ context: Context) throws(Failure) {
        let protected = try Protected(context, async: false)
        let memory = protected.memory
        try protected.showTrap()
        try protected.armAll()
        try memory.swapOut(0..<memory.pages)
        let go = try Gate()
        let child = try Child { () throws(Failure) in
            try go.wait()
            try memory.check("in the child")
            for chunk in 0..<4 where memory.load(memory.firstPage(chunk), offset: 100) != 0 {
                throw Failure("the parent's write to chunk \(chunk) is seen in the child")
            }
            memory.fill(seed: 2)
            return 0
        }
        try touchAll(protected, .write(1))
        try go.open()
        try child.waitForSuccess()
        try memory.check("in the parent, after the child wrote")
    }

    private static func unarmed(_ context: Context) throws(Failure) {
        let protected = try Protected(context, async: false)
        let memory = protected.memory
        try protected.showTrap()
        try protected.arm(2..<3)
        try memory.swapOut(0..<memory.pages)
        for chunk in [0, 1, 3] { try memory.check(memory.pageNumbers(chunk..<(chunk + 1)), "read back") }
        try protected.expectNoMessage("reads of unarmed chunks")
        try protected.expectTrap(2, .read)
    }

    private static func gup(_ context: Context, async: Bool) throws(Failure) {
        let protected = try Protected(context, async: async)
        let memory = protected.memory
        try protected.showTrap()
        let ways = [(1, KernelAccess.processVM), (2, .vmsplice), (3, .mem)]
        let bytes = (0..<4).map { memory.load(memory.firstPage($0)) }
        try protected.armAll()
        try memory.swapOut(0..<memory.pages)
        for (chunk, way) in ways {
            let page = memory.firstPage(chunk)
            let place = memory.address(page)
            let reader = try BlockingCall { (try? way.first(place)).map { Int($0) } ?? -1 }
            let isRefused = !async && chunk == 3
            if !async && !isRefused {
                try protected.expectMessage(chunk, .read)
                try context.expect(!reader.isFinished, "GUP of chunk \(chunk) went on before it was resolved")
                try protected.resolve(chunk..<(chunk + 1))
            }
            try context.expectEqual(reader.finish(), isRefused ? -1 : Int(bytes[chunk]), "GUP of chunk \(chunk)")
            try context.expect(try memory.isAccessed(page) != isRefused, "chunk \(chunk) after GUP")
        }
        try protected.expectNoMessage("after GUP")
        try protected.resolve(0..<4)
        try memory.check("at the end")
    }

    private static func cold(_ context: Context) throws(Failure) {
        let cold: Int32 = 20  // MADV_COLD, 5.4
        let protected = try Protected(context, async: false)
        try protected.showTrap()
        try protected.arm(1..<4)
        try protected.memory.advise(protected.memory.range, cold)
        try protected.expectAccessed([0], "after MADV_COLD")
        for chunk in 1..<4 { try protected.expectTrap(chunk, .read) }
        try protected.memory.check("at the end")
    }

    /// Touches every chunk from a thread while a monitor resolves; every chunk must trap at least once.
    private static func touchAll(_ protected: Protected, _ access: Protected.Access) throws(Failure) {
        for chunk in 0..<protected.memory.chunkCount {
            try protected.expectTrap(chunk, access, offset: 100)
        }
    }
}
