// SPDX-License-Identifier: GPL-2.0-only

import CUserfaultfd
import Userfaultfd

/// Ends of a registration while threads are blocked.
extension Missing {
    static let endScenarios: [Scenario] = [
        Scenario(
            "missing-unregister",
            "UNREGISTER of some pages releases their waiters, who find zeroes, and no others.",
            on: MemoryKind.all,
            unregister
        ),
        Scenario(
            "missing-vma-merge",
            "VMAs that registering part of a mapping split apart merge again after UNREGISTER.",
            on: MemoryKind.withoutHugetlb,
            vmaMerge
        ),
        Scenario(
            "missing-close",
            "Closing the userfaultfd releases waiters in user mode and in a system call.",
            on: MemoryKind.all,
            close
        ),
        Scenario(
            "missing-monitor-killed",
            "When the process that holds the only descriptor is killed, blocked threads of another go on.",
            on: MemoryKind.all,
            monitorKilled
        ),
        Scenario(
            "missing-exec",
            "exec(2) ends a thread blocked on a missing page; the userfaultfd of the old mm answers ESRCH.",
            on: [.anon, .shmem, .hugetlb],
            needs: [.root],
            exec
        ),
    ]

    private static func unregister(_ context: Context) throws(Failure) {
        let memory = try Memory(context.kind, pages: 4)
        let unit = context.kind.isTHP ? try Memory.hugePageSize(context.kind) : memory.pageSize
        let whole = try Memory(context.kind, pages: Int(3 * unit / memory.pageSize))
        let perUnit = Int(unit / memory.pageSize)
        let uffd = try register(whole)
        let released = try Access.read(whole, perUnit)
        try context.expectFault(uffd, at: whole.address(perUnit), [])
        let asleep = try Access.read(whole, 2 * perUnit)
        try context.expectFault(uffd, at: whole.address(2 * perUnit), [])
        try uffd.unregister(whole.pages(perUnit..<(2 * perUnit)))
        try context.expectEqual(released.finish(), 0, "byte read after UNREGISTER")
        try context.expectWaiters(uffd, 1, "after UNREGISTER of other pages")
        try context.expect(!asleep.isFinished, "UNREGISTER of other pages let an access go on")
        try uffd.copyPattern(whole, 2 * perUnit)
        try asleep.finish()
        try whole.check((2 * perUnit)..<(2 * perUnit + 1), "after COPY")
        try context.expectErrno(.noEntry, "COPY to an unregistered VMA") { () throws(Failure) in
            try uffd.copyPattern(whole, perUnit)
        }
        whole.fill(perUnit..<(perUnit + 1), seed: 4)
        try whole.check(perUnit..<(perUnit + 1), seed: 4, "pages that are not registered any more")
        try context.expectNoMessage(uffd, "after accesses to unregistered pages")
        try memory.unmap()
    }

    private static func vmaMerge(_ context: Context) throws(Failure) {
        let memory = try Memory(context.kind, pages: 4)
        let uffd = try Userfaultfd(features: [])
        try context.expectEqual(vmas(in: memory.range), 1, "VMAs at first")
        try uffd.register(memory.pages(1..<3), .missing)
        try context.expectEqual(vmas(in: memory.range), 3, "VMAs with the middle registered")
        let reader = try Access.read(memory, 2)
        try context.expectFault(uffd, at: memory.address(2), [])
        try uffd.copyPattern(memory, 2)
        try reader.finish()
        try uffd.unregister(memory.pages(1..<2))
        try context.expectEqual(vmas(in: memory.range), 3, "VMAs with one page registered")
        try uffd.unregister(memory.pages(1..<3))
        try context.expectEqual(vmas(in: memory.range), 1, "VMAs after UNREGISTER")
        try memory.check(2..<3, "after UNREGISTER")
        try uffd.register(memory.pages(0..<2), .missing)
        try context.expectEqual(vmas(in: memory.range), 2, "VMAs with the first pages registered")
        uffd.close()
        try context.expectEqual(vmas(in: memory.range), 1, "VMAs after close(2)")
    }

    /// How many VMAs have a part of the range (/proc/self/maps).
    static func vmas(in range: AddressRange) throws(Failure) -> Int {
        var count = 0
        for line in try FileAccess.lines("/proc/self/maps") {
            let bounds = Array(line.utf8.prefix { $0 != 0x20 }).split(separator: 0x2D)
            guard bounds.count == 2 else { throw Failure("/proc/self/maps has a line without a range: \(line)") }
            let (start, end) = (address(bounds[0]), address(bounds[1]))
            if start < range.end && end > range.start { count += 1 }
        }
        return count
    }

    /// The number of some hexadecimal digits in lower case.
    private static func address(_ digits: ArraySlice<UInt8>) -> UInt {
        digits.reduce(0) { $0 << 4 | UInt($1 > 0x39 ? $1 - 0x57 : $1 - 0x30) }
    }

    private static func close(_ context: Context) throws(Failure) {
        let memory = try Memory(context.kind, pages: 3)
        let uffd = try register(memory)
        let user = try Access.read(memory, 0)
        try context.expectFault(uffd, at: memory.address(0), [])
        var ends: [Int32] = [0, 0]
        try checked("pipe", pipe(&ends))
        let input = ends[1]
        let kernel = try BlockingCall { write(input, UnsafeRawPointer(bitPattern: memory.address(1)), 1) }
        try context.expectFault(uffd, at: memory.address(1), [])
        // One more, whose message nobody has read.
        let unread = try Access.write(memory, 2, offset: 64, 6)
        try uffd.waitForPending(1)
        uffd.close()
        try context.expectEqual(user.finish(), 0, "byte read after close(2)")
        try context.expectEqual(kernel.finish(), 1, "write(2) after close(2)")
        try unread.finish()
        try context.expectEqual(memory.load(2, offset: 64), 6, "byte written")
        try memory.checkZeroes(0..<3, "after close(2)")
    }

    private static func monitorKilled(_ context: Context) throws(Failure) {
        let memory = try Memory(context.kind, pages: 2)
        let board = try Memory(.shmem, pages: 1)
        let uffd = try register(memory)
        let monitor = try Child { () throws(Failure) in
            try context.expectFault(uffd, at: memory.address(1), .write)
            board.store(0, 1)
            while true { pause() }
        }
        // The child's copy is the only one left.
        uffd.close()
        let writer = try Access.write(memory, 1, offset: 64, 4)
        while board.load(0) == 0 { sched_yield() }
        context.sawTrap()
        try context.expect(!writer.isFinished, "an access to a missing page went on")
        try monitor.signal(SIGKILL)
        try context.expect(monitor.wait() == .killed(signal: SIGKILL), "the monitor did not die of SIGKILL")
        try writer.finish()
        try context.expectEqual(memory.load(1, offset: 64), 4, "byte written")
        try memory.checkZeroes(0..<2, "after the monitor's death")
    }

    private static func exec(_ context: Context) throws(Failure) {
        let memory = try Memory(context.kind, pages: 2)
        let board = try Memory(.shmem, pages: 1)
        let child = try Child { () throws(Failure) in
            let uffd = try register(memory)
            _ = try Access.read(memory, 1)
            try uffd.waitForPending(1)
            board.store(0, offset: 1, UInt8(uffd.descriptor))
            while board.load(0, offset: 2) == 0 { sched_yield() }
            return try listScenarios()
        }
        while board.load(0, offset: 1) == 0 { sched_yield() }
        let uffd = try descriptor(Int32(board.load(0, offset: 1)), of: child.identifier)
        try context.expectFault(uffd, at: memory.address(1), [])
        board.store(0, offset: 2, 1)
        try child.waitForSuccess()
        try context.expectErrno(.noProcess, "COPY into an mm that is gone") { () throws(Failure) in
            try uffd.copyPattern(memory, 1)
        }
        try context.expectEqual(uffd.waiters().total, 0, "blocked faults after exec(2)")
    }

    /// Replaces this process by `uffd-selftest --list`, with its output thrown away: a program that is always there.
    private static func listScenarios() throws(Failure) -> Int32 {
        let null = try checked("open of /dev/null", cuffd_open("/dev/null", O_WRONLY, 0))
        dup2(null, 1)
        try checked("exec", cuffd_exec("/proc/self/exe", "uffd-selftest", "--list", nil, nil))
        return 1
    }

    /// A copy of another process's userfaultfd (pidfd_getfd(2)).
    static func descriptor(_ number: Int32, of process: Int32) throws(Failure) -> Userfaultfd {
        let pidfd = try checked("pidfd_open", cuffd_syscall(Int(SYS_pidfd_open), Int(process), 0, 0, 0, 0, 0))
        let copy = cuffd_syscall(Int(SYS_pidfd_getfd), pidfd, Int(number), 0, 0, 0, 0)
        return Userfaultfd(descriptor: Int32(try checked("pidfd_getfd", copy)))
    }
}
