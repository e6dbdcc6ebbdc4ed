// SPDX-License-Identifier: GPL-2.0-only

import CUserfaultfd
import Userfaultfd

/// Protection that changes while virtual CPUs run: arming must take the page out of their own page tables (rule F5).
extension RWPKvm {
    static let running: [Scenario] = [
        Scenario(
            "rwp-kvm-armed-running-sync",
            "armed while a virtual CPU accesses the page without pause, its next access traps",
            rules: "F5 F1 P1",
            on: MemoryKind.all,
            needs: needs,
            syncArmed
        ),
        Scenario(
            "rwp-kvm-armed-running-async",
            "armed while a virtual CPU accesses the page without pause, its next access is reported",
            rules: "F5 F2 P1",
            on: MemoryKind.all,
            needs: needs,
            asyncArmed
        ),
        Scenario(
            "rwp-kvm-two-cpus",
            "two virtual CPUs trap at one page and at two, and a page's resolution lets go those who wait for it",
            rules: "F5 F1 P5",
            on: MemoryKind.all,
            needs: needs,
            twoCPUs
        ),
        Scenario(
            "rwp-kvm-toggle",
            "the mode flips while two virtual CPUs run: after each flip to sync none of their accesses passes",
            rules: "F5 M1 M2",
            on: MemoryKind.all,
            needs: needs,
            toggle
        ),
        Scenario(
            "rwp-kvm-signal",
            "a signal brings a virtual CPU back from a trap; run again, it traps again",
            rules: "F5 F1",
            on: MemoryKind.all,
            needs: needs,
            signal
        ),
        Scenario(
            "rwp-kvm-unregister",
            "unregistering lets go a virtual CPU that is blocked",
            rules: "F5 L6",
            on: MemoryKind.all,
            needs: needs,
            unregister
        ),
    ]

    /// The word that virtual CPUs count up in a chunk.
    private static func word(_ protected: Protected, _ chunk: Int) -> UInt {
        protected.memory.address(protected.memory.firstPage(chunk)) + 64
    }

    private static func start(
        _ guest: VirtualGuest,
        _ cpu: Int,
        _ protected: Protected,
        _ chunks: Range<Int>
    ) throws(Failure) -> VirtualRun {
        try VirtualRun(guest, cpu, guest.count(cpu, chunks.map { word(protected, $0) }))
    }

    /// Waits until a CPU has counted `more` times more than now. A CPU that has stopped, or waits for a trap that the
    /// scenario knows nothing of, is for the watchdog.
    private static func waitForProgress(_ guest: VirtualGuest, _ cpu: Int = 0, _ more: UInt64 = 2) {
        let before = guest.counted(cpu)
        while guest.counted(cpu) < before + more { sched_yield() }
    }

    /// Fails where a CPU has accessed what is armed. It counts after each access, so that it may be one behind when it had
    /// counted so often.
    private static func expectBlocked(_ guest: VirtualGuest, _ counted: [UInt64]) throws(Failure) {
        for cpu in counted.indices where guest.counted(cpu) > counted[cpu] + 1 {
            throw Failure("an access of virtual CPU \(cpu) passed untrapped")
        }
    }

    /// Waits for a message of CPUs that access without pause what is armed.
    private static func waitForMessage(
        _ protected: Protected,
        _ guest: VirtualGuest,
        _ counted: [UInt64]
    ) throws(Failure) {
        while try waitReadable(protected.uffd.descriptor, milliseconds: 0) == 0 { try expectBlocked(guest, counted) }
    }

    private static func syncArmed(_ context: Context) throws(Failure) {
        let protected = try Protected(context, async: false)
        let guest = try VirtualGuest(protected.memory)
        let run = try start(guest, 0, protected, 1..<2)
        for round in 0..<40 {
            waitForProgress(guest)
            try protected.arm(1..<2)
            let armed = guest.counted()
            try waitForMessage(protected, guest, [armed])
            try protected.expectMessage(1, .write(0))
            try protected.expectAccessed([0, 2, 3], "round \(round): before the trap is resolved")
            try expectBlocked(guest, [armed])
            try protected.resolve(1..<2)
        }
        guest.stopCounting()
        try run.finish()
        try context.expectEqual(cuffd_load64(word(protected, 1)), guest.counted(), "the word in the page")
        try protected.memory.check("at the end")
    }

    private static func asyncArmed(_ context: Context) throws(Failure) {
        let protected = try Protected(context, async: true)
        try protected.showTrap()
        let guest = try VirtualGuest(protected.memory)
        let run = try start(guest, 0, protected, 1..<2)
        for round in 0..<40 {
            waitForProgress(guest)
            try protected.uffd.readWriteProtect(protected.memory.range)
            // The first may be that of an access before.
            waitForProgress(guest)
            try protected.expectAccessed([1], "round \(round): after an access")
        }
        guest.stopCounting()
        try run.finish()
        try context.expectEqual(cuffd_load64(word(protected, 1)), guest.counted(), "the word in the page")
        try protected.expectNoMessage("asynchronous traps")
        try protected.memory.check("at the end")
    }

    private static func twoCPUs(_ context: Context) throws(Failure) {
        let protected = try Protected(context, async: false)
        let guest = try VirtualGuest(protected.memory, cpus: 2)
        // First both at one page.
        try protected.armAll()
        var runs: [VirtualRun] = []
        for cpu in 0..<2 { runs.append(try start(guest, cpu, protected, 1..<2)) }
        for _ in 0..<2 { try protected.expectMessage(1, .write(0)) }
        try context.expectWaiters(protected.uffd, 2, "at one page")
        try context.expectEqual(guest.counted(0) + guest.counted(1), 0, "accesses before the trap is resolved")
        try protected.resolve(1..<2)
        for cpu in 0..<2 { waitForProgress(guest, cpu) }
        guest.stopCounting()
        for run in runs { try run.finish() }
        let sum = guest.counted(0) + guest.counted(1)
        try context.expectEqual(cuffd_load64(word(protected, 1)), sum, "the word that both count up")
        // Then each at its own.
        let first = try VirtualRun(guest, 0, guest.read(word(protected, 2)))
        try protected.expectMessage(2, .read)
        let second = try VirtualRun(guest, 1, guest.read(word(protected, 3)))
        try protected.expectMessage(3, .read)
        try protected.resolve(3..<4)
        try context.expectAsleep(protected.uffd, 1)
        try second.finish()
        try protected.resolve(2..<3)
        try first.finish()
        try protected.expectAccessed([1, 2, 3], "at the end")
        try protected.resolve(0..<4)
        try protected.memory.check("at the end")
    }

    /// Both CPUs count in all chunks.
    private static func toggle(_ context: Context) throws(Failure) {
        let protected = try Protected(context, async: true)
        let guest = try VirtualGuest(protected.memory, cpus: 2)
        var runs: [VirtualRun] = []
        for cpu in 0..<2 { runs.append(try start(guest, cpu, protected, 0..<4)) }
        for round in 0..<25 {
            for cpu in 0..<2 { waitForProgress(guest, cpu) }
            try protected.uffd.setMode(disable: .readWriteProtectAsync)
            try protected.armAll()
            let before = [guest.counted(0), guest.counted(1)]
            // Both are bound to trap now.
            for _ in 0..<2 {
                try waitForMessage(protected, guest, before)
                let fault = try protected.uffd.nextFault()
                try context.expect(fault.flags == [.readWriteProtect, .write], "flags \(fault.flags.rawValue)")
                context.sawTrap()
            }
            try expectBlocked(guest, before)
            try protected.expectAccessed([], "round \(round): in sync mode")
            try protected.uffd.setMode(enable: .readWriteProtectAsync)
        }
        guest.stopCounting()
        for run in runs { try run.finish() }
        var sum: UInt64 = 0
        for chunk in 0..<4 { sum += cuffd_load64(word(protected, chunk)) }
        try context.expectEqual(sum, guest.counted(0) + guest.counted(1), "the words that both count up")
        try protected.memory.check("at the end")
    }

    private static func signal(_ context: Context) throws(Failure) {
        cuffd_count_signal(SIGUSR1)
        let protected = try Protected(context, async: false)
        let guest = try VirtualGuest(protected.memory)
        cuffd_store8(word(protected, 1), 0x5A)
        try protected.armAll()
        let run = try VirtualRun(guest, 0, guest.read(word(protected, 1)))
        try protected.expectMessage(1, .read)
        for round in 1...10 {
            try waitAsleep(run.thread)
            try run.thread.signal(SIGUSR1)
            try protected.expectMessage(1, .read)
            try context.expectEqual(guest.interrupted, UInt64(round), "signals that brought the virtual CPU back")
        }
        try protected.resolve(1..<2)
        try context.expectEqual(run.finish(), 0x5A, "the byte")
        // And one that runs.
        try protected.resolve(0..<4)
        let busy = try start(guest, 0, protected, 2..<3)
        waitForProgress(guest)
        try busy.thread.signal(SIGUSR1)
        while guest.interrupted < 11 { sched_yield() }
        waitForProgress(guest)
        guest.stopCounting()
        try busy.finish()
        try context.expectEqual(cuffd_load64(word(protected, 2)), guest.counted(), "the word in the page")
        try protected.expectNoMessage("at the end")
        try protected.memory.check("at the end")
    }

    private static func unregister(_ context: Context) throws(Failure) {
        let protected = try Protected(context, async: false)
        let guest = try VirtualGuest(protected.memory)
        cuffd_store8(word(protected, 1), 0x5A)
        try protected.armAll()
        let run = try VirtualRun(guest, 0, guest.read(word(protected, 1)))
        try protected.expectMessage(1, .read)
        try waitAsleep(run.thread)
        try protected.uffd.unregister(protected.memory.range)
        try context.expectWaiters(protected.uffd, 0, "after unregistering")
        try context.expectEqual(run.finish(), 0x5A, "the byte")
        for chunk in 0..<4 { _ = try guest.run(0, guest.write(word(protected, chunk), 1)) }
        try protected.expectNoMessage("after unregistering")
        try protected.memory.check("at the end")
    }
}
