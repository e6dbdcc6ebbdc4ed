// SPDX-License-Identifier: GPL-2.0-only

import CUserfaultfd
import Userfaultfd

/// Flipping between asynchronous and synchronous at run time (rules M1, M2).
enum RWPToggle {
    static let scenarios: [Scenario] = [
        Scenario(
            "rwp-toggle-to-sync",
            "after the flip to sync, armed pages trap to the monitor",
            rules: "M1 M2 F1",
            on: MemoryKind.all,
            needs: Need.rwp,
            toSync
        ),
        Scenario(
            "rwp-toggle-to-async",
            "after the flip to async, armed pages resolve by themselves",
            rules: "M1 M2 F2",
            on: MemoryKind.all,
            needs: Need.rwp,
            toAsync
        ),
        Scenario(
            "rwp-toggle-waiters",
            "the flip to async wakes who is blocked, and they resolve by themselves",
            rules: "M2",
            on: MemoryKind.all,
            needs: Need.rwp,
            waiters
        ),
        Scenario(
            "rwp-toggle-others",
            "the flip to async lets nobody go on who waits for another reason than an armed page",
            rules: "M2",
            on: MemoryKind.all,
            needs: Need.rwp + [.features([.writeProtect, .writeProtectFiles])],
            others
        ),
        Scenario(
            "rwp-toggle-elsewhere",
            "a monitor in a process of its own flips to async and back",
            rules: "M1 M2",
            on: MemoryKind.all,
            needs: Need.rwp,
            elsewhere
        ),
        Scenario(
            "rwp-toggle-freeze",
            "1000 flips under load: after each flip to sync no access passes untrapped",
            rules: "M2 F1",
            on: [.anon, .shmem, .hugetlb],
            needs: Need.rwp,
            seconds: 120,
            freeze
        ),
    ]

    private static func toSync(_ context: Context) throws(Failure) {
        let protected = try Protected(context, async: true)
        try protected.showTrap()
        try protected.armAll()
        protected.memory.load(protected.memory.firstPage(1))
        try protected.uffd.setMode(disable: .readWriteProtectAsync)
        try protected.expectAccessed([1], "after the flip to sync")
        try protected.expectTrap(2, .write(1), offset: 100)
        protected.memory.load(protected.memory.firstPage(1))
        try protected.expectNoMessage("access of unarmed chunks")
        try protected.resolve(0..<4)
        try protected.memory.check("at the end")
    }

    private static func toAsync(_ context: Context) throws(Failure) {
        let protected = try Protected(context, async: false)
        try protected.armAll()
        try protected.expectTrap(0, .read)
        try protected.uffd.setMode(enable: .readWriteProtectAsync)
        try protected.expectAccessed([0], "after the flip to async")
        protected.memory.store(protected.memory.firstPage(2), offset: 100, 1)
        try protected.expectAccessed([0, 2], "after a write")
        try protected.expectNoMessage("asynchronous traps")
        try protected.memory.check("at the end")
    }

    private static func waiters(_ context: Context) throws(Failure) {
        let protected = try Protected(context, async: false)
        try protected.armAll()
        let reader = try protected.touch(1)
        try protected.expectMessage(1, .read)
        let writer = try protected.touch(2, .write(8), offset: 100)
        try protected.expectMessage(2, .write(8))
        try protected.uffd.setMode(enable: .readWriteProtectAsync)
        try reader.join()
        try writer.join()
        try protected.expectAccessed([1, 2], "after the flip to async")
        let got = protected.memory.load(protected.memory.firstPage(2), offset: 100)
        try context.expectEqual(got, 8, "the byte that a waiter wrote")
        try protected.expectNoMessage("after the flip to async")
    }

    private static func others(_ context: Context) throws(Failure) {
        let features: Features = [.writeProtect, .writeProtectFiles]
        let mode: RegisterMode = [.readWriteProtect, .missing]
        let protected = try Protected(context, async: false, mode: mode, features: features)
        let (uffd, memory) = (protected.uffd, protected.memory)
        try protected.showTrap()
        let missing = try Memory(context.kind, pages: 1)
        try uffd.register(missing.range, mode)
        let written = try Memory(context.kind, pages: 1)
        try written.populate()
        try uffd.register(written.range, .writeProtect)
        try uffd.writeProtect(written.range)
        try protected.arm(1..<2)

        let reader = try Access.read(missing, 0)
        try context.expectFault(uffd, at: missing.address(0), [])
        let writer = try Access.write(written, 0, offset: 100, 7)
        try context.expectFault(uffd, at: written.address(0), [.writeProtect, .write])
        let armed = try protected.touch(1)
        try protected.expectMessage(1, .read)
        try context.expectWaiters(uffd, 3, "before the flip")
        try uffd.setMode(enable: .readWriteProtectAsync)
        try armed.join()
        // Whether the kernel lets them look again is its business; they cannot go on.
        try context.expect(!reader.isFinished, "the flip let a fault go that it has nothing to do with: a missing page")
        try context.expect(
            !writer.isFinished,
            "the flip let a fault go that it has nothing to do with: write protection"
        )
        try uffd.copyPattern(missing, 0)
        try reader.finish()
        try uffd.writeProtect(written.range, false)
        try writer.finish()
        try protected.expectNoMessage("everybody is awake")
        try missing.check(0..<1, "copied")
        try context.expectEqual(written.load(0, offset: 100), 7, "the byte written")
        try memory.check("at the end")
    }

    private static func elsewhere(_ context: Context) throws(Failure) {
        let protected = try Protected(context, async: false)
        let uffd = protected.uffd
        try protected.showTrap()
        try protected.armAll()
        for toAsync in [true, false] {
            let monitor = try Child { () throws(Failure) in
                try uffd.setMode(
                    enable: toAsync ? .readWriteProtectAsync : [],
                    disable: toAsync ? [] : .readWriteProtectAsync
                )
                return 0
            }
            try monitor.waitForSuccess()
            if toAsync {
                protected.memory.load(protected.memory.firstPage(1))
                try protected.expectNoMessage("asynchronous traps")
                try protected.expectAccessed([1], "after the flip to async")
            } else {
                try protected.expectTrap(2, .write(1), offset: 100)
            }
        }
        try protected.resolve(0..<4)
        try protected.memory.check("at the end")
    }

    /// Writers count up words of all chunks without pause. Every flip to sync arms everything after the flip; from then
    /// until the flip back no word may change.
    private static func freeze(_ context: Context) throws(Failure) {
        let protected = try Protected(context, async: true, features: [])
        let memory = protected.memory
        try protected.showTrap()
        let view = try context.kind.isAnonymous ? nil : memory.alias()
        let stop = Words(1)
        var writers: [Thread] = []
        for index in 0..<2 {
            writers.append(
                try Thread { () throws(Failure) in
                    var chunk = index
                    while stop[0] == 0 {
                        cuffd_fetch_add64(memory.address(memory.firstPage(chunk)) + 64, 1)
                        chunk = (chunk + 1) % 4
                    }
                }
            )
        }
        // Faults of huge pages take their time.
        for round in 0..<(context.kind.isHugetlb ? 200 : 1000) {
            try protected.uffd.readWriteProtect(memory.range)
            try protected.uffd.setMode(disable: .readWriteProtectAsync)
            // An access that async mode let pass before the flip disarmed its page; arm all again, now in sync mode:
            // from here on nothing may pass.
            try protected.uffd.readWriteProtect(memory.range)
            let before = try counts(memory, view)
            for _ in 0..<50 { sched_yield() }
            let after = try counts(memory, view)
            try context.expect(before == after, "round \(round): an access passed in sync mode")
            let accessed = try protected.accessed()
            try context.expect(!accessed.contains(true), "round \(round): a chunk is accessed in sync mode")
            try protected.uffd.setMode(enable: .readWriteProtectAsync)
            while try protected.uffd.poll() != nil {}
        }
        stop[0] = 1
        for writer in writers { try writer.join() }
        try memory.check("at the end")
    }

    /// The four counters, read without touching the armed mapping: through a second one, or /proc/self/mem's kin is
    /// no help for anonymous memory, where pagemap alone must tell (an empty list then).
    private static func counts(_ memory: Memory, _ view: Memory?) throws(Failure) -> [UInt64] {
        guard let view else { return [] }
        var result: [UInt64] = []
        for chunk in 0..<4 { result.append(cuffd_load64(view.address(view.firstPage(chunk)) + 64)) }
        return result
    }
}
