// SPDX-License-Identifier: GPL-2.0-only

import CUserfaultfd
import Userfaultfd

/// What happens to an armed page while a fault is under way that met it (rules F1, L2, L6, M2): the races of `RWPRace`,
/// but gone through from the begin of the fault to its end.
enum RWPInterrupted {
    static let scenarios: [Scenario] = [
        waiting("rwp-interrupted-resolve", "resolved in the midst of a fault: the thread goes on", rules: "P2 F1") {
            (protected) throws(Failure) in try protected.resolve(1..<2)
        },
        waiting(
            "rwp-interrupted-swap",
            "resolved and swapped out in the midst of a fault: the thread brings the page back",
            rules: "F1 L1",
            on: RWPSwap.kinds,
            needs: [.swap]
        ) { (protected) throws(Failure) in
            let pageout: Int32 = 21  // MADV_PAGEOUT, 5.4
            try protected.resolve(1..<2)
            try protected.memory.advise(protected.memory.chunk(1), pageout)
        },
        waiting("rwp-interrupted-drop", "dropped in the midst of a fault: the thread gets another", rules: "F1 L2") {
            (protected) throws(Failure) in
            try protected.memory.advise(protected.memory.chunk(1), MADV_DONTNEED)
            // For those who sleep already: nothing but an ioctl wakes them.
            try protected.uffd.wake(protected.memory.range)
        },
        waiting("rwp-interrupted-unregister", "unregistered in the midst of a fault: the thread goes on", rules: "L6") {
            (protected) throws(Failure) in
            try protected.uffd.unregister(protected.memory.range)
            try protected.uffd.register(protected.memory.range, .readWriteProtect)
        },
        waiting("rwp-interrupted-to-async", "flip to async in the midst of a fault: the thread goes on", rules: "M2") {
            (protected) throws(Failure) in try protected.uffd.setMode(enable: .readWriteProtectAsync)
        },
        Scenario(
            "rwp-interrupted-to-sync",
            "flip to sync in the midst of an asynchronous fault: what is armed when it returns traps",
            rules: "M2 F1",
            on: MemoryKind.all,
            needs: Need.rwp + Interruption.needs,
            seconds: 60,
            toSync
        ),
        Scenario(
            "rwp-interrupted-async",
            "dropped in the midst of an asynchronous fault: the access sees what is there now",
            rules: "F2 L2",
            on: [.anon, .anonTHP, .hugetlbPrivate],
            needs: Need.rwp + Interruption.needs,
            seconds: 60,
            dropped
        ),
    ]

    /// A thread reads and writes an armed page, while the monitor `act`s and reads no message.
    private static func waiting(
        _ name: StaticString,
        _ what: StaticString,
        rules: StaticString,
        on kinds: [MemoryKind] = MemoryKind.all,
        needs: [Need] = [],
        _ act: @escaping @Sendable (Protected) throws(Failure) -> Void
    ) -> Scenario {
        Scenario(name, what, rules: rules, on: kinds, needs: Need.rwp + Interruption.needs + needs, seconds: 60) {
            (context) throws(Failure) in
            let protected = try Protected(context, async: false)
            let (memory, uffd) = (protected.memory, protected.uffd)
            try protected.showTrap()
            let place = memory.address(memory.firstPage(1)) + 64
            let interruption = Interruption(rounds: rounds(memory))
            try interruption.run(
                { cuffd_fetch_add64(place, 1) },
                isAtEnd: { () throws(Failure) in try uffd.waiters().total != 0 },
                prepare: { () throws(Failure) in
                    try uffd.setMode(disable: .readWriteProtectAsync)
                    memory.load(memory.firstPage(1))
                    try protected.arm(1..<2)
                },
                act: { () throws(Failure) in try act(protected) }
            )
            try protected.expectNoMessage("after the thread went on")
            try protected.resolve(0..<4)
            try memory.check(memory.pageNumbers(2..<4), "at the end")
        }
    }

    /// How often: faults of huge pages take their time.
    private static func rounds(_ memory: Memory) -> Int { memory.chunkSize == basePageSize ? 300 : 150 }

    private static func toSync(_ context: Context) throws(Failure) {
        let protected = try Protected(context, async: true)
        let (memory, uffd) = (protected.memory, protected.uffd)
        try protected.showTrap()
        let page = memory.firstPage(1)
        let interruption = Interruption(rounds: rounds(memory))
        try interruption.run(
            { memory.load(page, offset: 100) },
            isAtEnd: { () throws(Failure) in interruption.isOver },
            prepare: { () throws(Failure) in
                try uffd.setMode(enable: .readWriteProtectAsync)
                try protected.arm(1..<2)
            },
            act: { () throws(Failure) in
                try uffd.setMode(disable: .readWriteProtectAsync)
                let isArmed = try memory.entry(page).isUffd
                var traps = 0
                while !interruption.isOver {
                    Interruption.pause(20_000)
                    guard try uffd.poll() != nil else { continue }
                    traps += 1
                    try protected.resolve(1..<2)
                }
                try context.expect(
                    isArmed == (traps == 1),
                    "\(traps) traps of a page that was \(isArmed ? "" : "not ")armed"
                )
            }
        )
        try protected.resolve(0..<4)
        try memory.check("at the end")
    }

    private static func dropped(_ context: Context) throws(Failure) {
        let protected = try Protected(context, async: true)
        let memory = protected.memory
        try protected.showTrap()
        let page = memory.firstPage(1)
        let read = Words(1)
        let interruption = Interruption(rounds: rounds(memory))
        try interruption.run(
            { read[0] = UInt64(memory.load(page, offset: 100)) },
            isAtEnd: { () throws(Failure) in interruption.isOver },
            prepare: { () throws(Failure) in
                memory.store(page, offset: 100, 7)
                try protected.arm(1..<2)
            },
            act: { () throws(Failure) in
                try memory.advise(memory.chunk(1), MADV_DONTNEED)
                while !interruption.isOver { Interruption.pause(20_000) }
                let now = memory.load(page, offset: 100)
                try context.expect([0, 7].contains(read[0]) && now == 0, "read \(read[0]), and \(now) when dropped")
            }
        )
        try memory.check(memory.pageNumbers(2..<4), "at the end")
    }
}
