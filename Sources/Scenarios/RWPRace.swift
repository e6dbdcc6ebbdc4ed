// SPDX-License-Identifier: GPL-2.0-only

import CUserfaultfd
import Userfaultfd

/// Arming and resolving while the entries change underneath (rules P1, P2, L1): what a race can lose, many rounds lose.
enum RWPRace {
    static let scenarios: [Scenario] = [
        Scenario(
            "rwp-race-migrate",
            "pages that migrate meanwhile are all armed by arming, kept by mprotect(2), and disarmed by resolving",
            rules: "P1 P2 L1 F3",
            on: MemoryKind.all,
            needs: Need.rwp + [.nodes(2), .root],
            migrate
        ),
        Scenario(
            "rwp-race-scan",
            "accessed pages that migrate meanwhile never look cold to a scan",
            rules: "S2",
            on: MemoryKind.all,
            needs: Need.rwp + [.nodes(2), .root]
        ) { (context) throws(Failure) in
            let protected = try Protected(context, async: false)
            try protected.showTrap()
            try protected.memory.migrating { () throws(Failure) in
                for _ in 0..<500 { try context.expect(try !protected.accessed().contains(false), "a page looks cold") }
            }
            try protected.memory.check("at the end")
        },
        Scenario(
            "rwp-race-scan-armed",
            "armed pages that migrate meanwhile never look accessed, to a scan or in pagemap",
            rules: "S1 S2 L1",
            on: MemoryKind.all,
            needs: Need.rwp + [.nodes(2), .root]
        ) { (context) throws(Failure) in
            let protected = try Protected(context, async: false)
            try protected.showTrap()
            try protected.armAll()
            try protected.memory.migrating { () throws(Failure) in
                for _ in 0..<500 {
                    try protected.expectAccessed([], "while pages migrate")
                    for chunk in 0..<4 {
                        let isArmed = try protected.memory.entry(protected.memory.firstPage(chunk)).isUffd
                        try context.expect(isArmed, "chunk \(chunk) is not armed in pagemap while pages migrate")
                    }
                }
            }
            try protected.resolve(0..<4)
            try protected.memory.check("at the end")
        },
        Scenario(
            "rwp-race-drop",
            "armed pages that migrate when they are dropped leave nothing behind",
            rules: "L2 S1 S2",
            on: MemoryKind.all,
            needs: Need.rwp + [.nodes(2), .root],
            seconds: 60
        ) { (context) throws(Failure) in
            let protected = try Protected(context, async: false)
            let memory = protected.memory
            try protected.showTrap()
            try memory.migrating { () throws(Failure) in
                for round in 0..<(memory.chunkSize == basePageSize ? 100 : 15) {
                    try protected.uffd.readWriteProtect(memory.range, false)
                    memory.fill()
                    try protected.uffd.readWriteProtect(memory.range)
                    // A move of huge pages takes its time: what is in the midst of it is tried.
                    if memory.chunkSize != basePageSize { Interruption.pause(round * 200_000) }
                    try memory.advise(memory.range, MADV_DONTNEED)
                    try memory.expectUffdBit("dropped while it migrates") { _ in false }
                    try protected.expectAccessed([], "dropped while it migrates")
                }
            }
        },
        Scenario(
            "rwp-race-split",
            "a huge page that is split while it migrates stays armed, every page of it",
            rules: "L1",
            on: [.anonTHP],
            needs: Need.rwp + [.nodes(2), .root],
            split
        ),
        Scenario(
            "rwp-race-arm-zero",
            "pages of one huge zero page that two threads arm at once are all armed",
            rules: "P1 B3",
            on: [.anonTHP],
            needs: Need.rwp,
            armZero
        ),
        waits("rwp-race-dontneed", "MADV_DONTNEED and WAKE", on: MemoryKind.all) { (protected) throws(Failure) in
            try protected.memory.advise(protected.memory.range, MADV_DONTNEED)
            try protected.uffd.wake(protected.memory.range)
        },
        waits("rwp-race-resolve", "resolving and MADV_DONTNEED", on: MemoryKind.all) { (protected) throws(Failure) in
            try protected.resolve(0..<4)
            try protected.memory.advise(protected.memory.range, MADV_DONTNEED)
        },
        waits("rwp-race-swap", "resolving and swap-out", on: RWPSwap.kinds, needs: [.swap]) {
            (protected) throws(Failure) in
            let pageout: Int32 = 21  // MADV_PAGEOUT, 5.4
            try protected.resolve(0..<4)
            try protected.memory.advise(protected.memory.range, pageout)
        },
        waits("rwp-race-unregister", "unregistering and registering", on: MemoryKind.all) {
            (protected) throws(Failure) in
            try protected.uffd.unregister(protected.memory.range)
            try protected.uffd.register(protected.memory.range, .readWriteProtect)
        },
    ]

    private static func migrate(_ context: Context) throws(Failure) {
        let protected = try Protected(context, async: false)
        let memory = protected.memory
        try protected.showTrap()
        // Whether the mover shall end, shall rest, and rests.
        let state = Words(3)
        let mover = try Thread { () throws(Failure) in
            var node = 0
            while state[0] == 0 {
                state[2] = state[1]
                if state[2] == 1 {
                    sched_yield()
                    continue
                }
                node = 1 - node
                _ = try memory.tryMove(to: node)
            }
        }
        // The kernel looks at huge entries without their lock, and takes one that is just being replaced for an empty
        // one: what a race left behind is looked at when it is over.
        let rests = context.kind.isHugetlb
        let expect = { (accessed: [Int], when: String) throws(Failure) in
            if rests { state[1] = 1 }
            while state[2] != state[1] { sched_yield() }
            try protected.expectAccessed(accessed, when)
            state[1] = 0
            while state[2] != state[1] { sched_yield() }
        }
        for round in 0..<(rests ? 12 : 100) {
            // After a rest the mover needs a while to be in the midst of a move; which one, is tried.
            if rests { Interruption.pause(round * 200_000) }
            try protected.uffd.readWriteProtect(memory.range)
            for protection in [PROT_READ, PROT_READ | PROT_WRITE] {
                try memory.protect(memory.range, protection)
                try expect([], "armed and mprotected while pages migrate")
            }
            if rests { Interruption.pause(round * 200_000) }
            try protected.resolve(0..<4)
            try expect([0, 1, 2, 3], "resolved while pages migrate")
        }
        state[0] = 1
        try mover.join()
        memory.fill(seed: 2)
        try protected.expectNoMessage("access of resolved pages")
        try memory.check(seed: 2, "at the end")
    }

    private static func split(_ context: Context) throws(Failure) {
        let first = try Protected(context, async: false)
        try first.showTrap()
        for round in 0..<20 {
            let memory = try Memory(context.kind, chunks: 1)
            try memory.populate()
            let protected = Protected(first, memory: memory)
            try protected.uffd.register(memory.range, .readWriteProtect)
            try protected.armAll()
            let mover = try Thread { () throws(Failure) in
                for node in [1, 0, 1] { _ = try memory.tryMove(to: node) }
            }
            Interruption.pause(round * 100_000)
            try memory.protect(memory.page(7), PROT_READ)
            try protected.expectArmedPages("split while it migrates") { _ in true }
            try mover.join()
            try protected.resolve(0..<1)
            try memory.check("at the end of round \(round)")
            try memory.unmap()
        }
    }

    /// To arm a part of a huge mapping splits it, which empties its entry for a moment.
    private static func armZero(_ context: Context) throws(Failure) {
        let shown = try Protected(context, async: false)
        try shown.showTrap()
        let memory = try Memory(context.kind, chunks: 1)
        let count = memory.pages
        try shown.uffd.register(memory.range, .readWriteProtect)
        let turn = Words(2)
        let rounds: UInt64 = 100
        let other = try Thread { () throws(Failure) in
            for round in 1...rounds {
                while turn[0] < round { sched_yield() }
                try shown.uffd.readWriteProtect(memory.pages((count / 2)..<count))
                turn[1] = round
            }
        }
        for round in 1...rounds {
            memory.load(0)
            turn[0] = round
            try shown.uffd.readWriteProtect(memory.pages(0..<(count / 2)))
            while turn[1] < round { sched_yield() }
            if let page = try memory.first(of: 0..<count, where: { !$0.isUffd }) {
                throw Failure("round \(round): page \(page) is not armed")
            }
            try memory.advise(memory.range, MADV_DONTNEED)
        }
        try other.join()
    }

    /// Threads read the pages that are armed and `release`d again and again. Nobody reads a message: who goes to sleep
    /// for a page that is not armed any more sleeps until the watchdog comes.
    private static func waits(
        _ name: StaticString,
        _ what: StaticString,
        on kinds: [MemoryKind],
        needs: [Need] = [],
        _ release: @escaping @Sendable (Protected) throws(Failure) -> Void
    ) -> Scenario {
        Scenario(name, what, rules: "P2 F1", on: kinds, needs: Need.rwp + needs) { (context) throws(Failure) in
            let protected = try Protected(context, async: false)
            let memory = protected.memory
            try protected.showTrap()
            let stop = Words(1)
            var threads: [Thread] = []
            for index in 0..<3 {
                threads.append(
                    try Thread { () throws(Failure) in
                        var chunk = index
                        while stop[0] == 0 {
                            memory.load(memory.firstPage(chunk), offset: 8)
                            chunk = (chunk + 1) % 4
                        }
                    }
                )
            }
            for _ in 0..<(memory.chunkSize == basePageSize ? 100 : 25) {
                try protected.uffd.readWriteProtect(memory.range)
                try release(protected)
            }
            stop[0] = 1
            for thread in threads { try thread.join() }
            try protected.expectNoMessage("after all went on")
        }
    }
}
