// SPDX-License-Identifier: GPL-2.0-only

import CUserfaultfd
import Userfaultfd

/// `UFFDIO_POISON`: addresses whose access raises SIGBUS, as memory with a hardware error would.
enum Poison {
    static let scenarios: [Scenario] =
        [
            Scenario(
                "poison-access",
                "A read and a write of a poisoned page raise SIGBUS without a message; its neighbours are as they were.",
                on: MemoryKind.all,
                needs: needs,
                access
            ),
            Scenario(
                "poison-resolve",
                "POISON resolves missing faults: every blocked access raises SIGBUS.",
                on: MemoryKind.all,
                needs: needs,
                resolve
            ),
            Scenario(
                "poison-dontwake",
                "POISON with DONTWAKE leaves the waiter asleep until WAKE.",
                on: MemoryKind.all,
                needs: needs,
                dontWake
            ),
            Scenario(
                "poison-kernel",
                "The kernel's own access to a poisoned page fails: EFAULT, and EHWPOISON from MADV_POPULATE_READ.",
                on: MemoryKind.all,
                needs: needs,
                kernel
            ),
            Scenario(
                "poison-exists",
                "POISON over a page or over poison is EEXIST and tells its progress; COPY over poison heals the page.",
                on: MemoryKind.all,
                needs: needs,
                exists
            ),
        ] + lifeScenarios

    static let needs: [Need] = [.features(.poison)]

    /// `si_code` of the SIGBUS of poison: the one of an uncorrectable memory error, where the kernel can tell
    /// (CONFIG_MEMORY_FAILURE, which brings this sysctl).
    private static var expectedCode: Int32 {
        let memoryError: Int32 = 4  // BUS_MCEERR_AR
        return FileAccess.exists("/proc/sys/vm/memory_failure_recovery") ? memoryError : Int32(BUS_ADRERR)
    }

    /// Fails unless both a read and a write of each page raise SIGBUS; counts it as the trap.
    static func expectPoisoned(
        _ context: Context,
        _ memory: Memory,
        _ pages: Range<Int>,
        _ when: @autoclosure () -> String
    ) throws(Failure) {
        for page in pages {
            for probe in [Probe.read(memory.address(page) + 64), Probe.write(memory.address(page) + 64, 1)] {
                try context.expectEqual(probe.signal, SIGBUS, "signal of an access to page \(page), \(when())")
                try context.expectEqual(probe.code, expectedCode, "its si_code")
            }
        }
        context.sawTrap()
    }

    static func register(
        _ memory: Memory,
        _ mode: RegisterMode = .missing,
        features: Features = []
    ) throws(Failure) -> Userfaultfd {
        let uffd = try Userfaultfd(features: features.union(.poison))
        let ioctls = try uffd.register(memory.range, mode)
        if !ioctls.contains(.poison) { throw Failure("REGISTER does not offer POISON") }
        return uffd
    }

    private static func access(_ context: Context) throws(Failure) {
        let memory = try Memory(context.kind, pages: 4)
        let uffd = try register(memory)
        try uffd.copyPattern(memory, 0)
        try uffd.copyPattern(memory, 3)
        try uffd.poison(memory.pages(1..<3))
        try expectPoisoned(context, memory, 1..<3, "after POISON")
        try expectPoisoned(context, memory, 1..<3, "after an access")
        try context.expectEqual(
            Probe.read(memory.address(3) - 1).signal,
            SIGBUS,
            "signal of an access to the last byte of poison"
        )
        try memory.check(0..<1, "before the poison")
        try memory.check(3..<4, "behind the poison")
        try context.expectNoMessage(uffd, "after accesses to poison")
    }

    private static func resolve(_ context: Context) throws(Failure) {
        let memory = try Memory(context.kind, pages: 3)
        let uffd = try register(memory)
        cuffd_catch_memory_signals()
        let first = try Access.probe(memory, 1)
        try context.expectFault(uffd, at: memory.address(1), [])
        let second = try Access.probe(memory, 1)
        try context.expectFault(uffd, at: memory.address(1), [])
        let other = try Access.probe(memory, 2)
        try context.expectFault(uffd, at: memory.address(2), [])
        try uffd.poison(memory.page(1))
        for waiter in [first, second] {
            let end = try waiter.finishProbe()
            try context.expectEqual(end.signal, SIGBUS, "signal of a blocked access to poison")
            try context.expectEqual(end.code, expectedCode, "its si_code")
        }
        try context.expectWaiters(uffd, 1, "after POISON of the page before")
        try uffd.copyPattern(memory, 2)
        try context.expectEqual(other.finishProbe().signal, 0, "signal of an access resolved by COPY")
        try memory.check(2..<3, "beside poison")
    }

    private static func dontWake(_ context: Context) throws(Failure) {
        let memory = try Memory(context.kind, pages: 2)
        let uffd = try register(memory)
        cuffd_catch_memory_signals()
        let reader = try Access.probe(memory, 1)
        try context.expectFault(uffd, at: memory.address(1), [])
        try uffd.poison(memory.page(1), dontWake: true)
        try context.expectWaiters(uffd, 1, "after POISON with DONTWAKE")
        try context.expect(!reader.isFinished, "the access went on before WAKE")
        try uffd.wake(memory.page(1))
        try context.expectEqual(reader.finishProbe().signal, SIGBUS, "signal of a woken access to poison")
    }

    private static func kernel(_ context: Context) throws(Failure) {
        let memory = try Memory(context.kind, pages: 2)
        let uffd = try register(memory)
        try uffd.poison(memory.page(0))
        try Missing.expectKernelFault(context, memory.address(0))
        let populateRead: Int32 = 22  // MADV_POPULATE_READ, 5.14
        try context.expectErrno(.hardwarePoison, "MADV_POPULATE_READ") { () throws(Failure) in
            try memory.advise(memory.page(0), populateRead)
        }
        try expectPoisoned(context, memory, 0..<1, "after accesses of the kernel's")
        try context.expectNoMessage(uffd, "after accesses to poison")
    }

    private static func exists(_ context: Context) throws(Failure) {
        let memory = try Memory(context.kind, pages: 4)
        let uffd = try register(memory)
        try uffd.copyPattern(memory, 2)
        try context.expectErrno(.exists, "POISON over a page") { () throws(Failure) in
            try uffd.poison(memory.page(2))
        }
        var progress: Int64 = -1
        try context.expectErrno(.again, "POISON that meets a page") { () throws(Failure) in
            do throws(Failure) {
                try uffd.poison(memory.pages(0..<4))
            } catch {
                progress = error.progress
                throw error
            }
        }
        try context.expectEqual(progress, Int64(2 * memory.pageSize), "bytes poisoned")
        try context.expectErrno(.exists, "POISON over poison") { () throws(Failure) in
            try uffd.poison(memory.page(1))
        }
        try expectPoisoned(context, memory, 0..<2, "after refused calls")
        try memory.check(2..<3, "the page in the way")
        let reader = try Access.read(memory, 3)
        try context.expectFault(uffd, at: memory.address(3), [])
        try uffd.copyPattern(memory, 3)
        try reader.finish()

        // COPY may overwrite any marker of userfaultfd's: a monitor that found the data after all heals the page.
        try uffd.copyPattern(memory, 1)
        try memory.check(1..<4, "after COPY over poison")
        try expectPoisoned(context, memory, 0..<1, "beside the page healed")
    }
}
