// SPDX-License-Identifier: GPL-2.0-only

import CUserfaultfd
import Userfaultfd

/// Missing pages met by the kernel itself, and faults that do not block.
extension Missing {
    static let kernelScenarios: [Scenario] = [
        Scenario(
            "missing-syscall",
            "read(2) into and write(2) from a missing page block, send a message and go on after COPY.",
            on: MemoryKind.all,
            systemCall
        ),
        Scenario(
            "missing-gup",
            "Another process's process_vm_readv and writev, and vmsplice, meet a missing page through GUP and go on.",
            on: MemoryKind.all,
            getUserPages
        ),
        Scenario(
            "missing-sigbus",
            "With UFFD_FEATURE_SIGBUS an access raises SIGBUS or fails with EFAULT, and nothing is sent.",
            on: MemoryKind.all,
            sigbus
        ),
        Scenario(
            "missing-user-mode-only",
            "A userfaultfd of user mode only lets the kernel's own accesses fail with EFAULT; user accesses trap.",
            on: MemoryKind.all,
            userModeOnly
        ),
        Scenario(
            "missing-signal",
            "A signal's handler runs while its thread is blocked on a missing page, and the access goes on after it.",
            on: [.anon, .shmem, .hugetlb],
            signal
        ),
        Scenario(
            "missing-kill",
            "SIGKILL ends a process blocked on a missing page, in user mode and in a system call.",
            on: [.anon, .shmem, .hugetlb],
            kill
        ),
    ]

    private static func systemCall(_ context: Context) throws(Failure) {
        let memory = try Memory(context.kind, pages: 2)
        let uffd = try register(memory)
        var ends: [Int32] = [0, 0]
        try checked("pipe", pipe(&ends))
        let (output, input) = (ends[0], ends[1])
        let bytes: [UInt8] = [1, 2, 3, 4]
        try context.expectEqual(write(input, bytes, 4), 4, "bytes written to the pipe")

        let target = memory.address(0) + 64
        let reading = try BlockingCall { read(output, UnsafeMutableRawPointer(bitPattern: target), 4) }
        try context.expectFault(uffd, at: memory.address(0), .write)
        try uffd.copyPattern(memory, 0)
        try context.expectEqual(reading.finish(), 4, "read(2) into a missing page")
        for (index, byte) in bytes.enumerated() {
            try context.expectEqual(memory.load(0, offset: 64 + UInt(index)), byte, "byte \(index)")
        }
        try memory.check(0..<1, "around what was read")

        let origin = memory.address(1) + memory.pageSize - 8
        let writing = try BlockingCall { write(input, UnsafeRawPointer(bitPattern: origin), 8) }
        try context.expectFault(uffd, at: memory.address(1), [])
        try uffd.copyPattern(memory, 1)
        try context.expectEqual(writing.finish(), 8, "write(2) from a missing page")
        var word: UInt64 = 0
        try context.expectEqual(read(output, &word, 8), 8, "bytes read from the pipe")
        try context.expectEqual(word, cuffd_load64(origin), "word that went through the pipe")
        try memory.check(1..<2, "after write(2)")
    }

    private static func getUserPages(_ context: Context) throws(Failure) {
        let memory = try Memory(context.kind, pages: 3)
        let uffd = try register(memory)
        let parent = getpid()
        // The words at the start of pages 0 and 1 of the pattern, as the other process must see them.
        let expected = try [memory.pattern(of: 0), memory.pattern(of: 2)].map { cuffd_load64($0.range.start) }
        let reader = try Child { () throws(Failure) in
            var word: UInt64 = 0
            try transferWord(of: parent, at: memory.address(0), &word, write: false)
            return word == expected[0] ? 0 : 1
        }
        try context.expectFault(uffd, at: memory.address(0), [])
        try uffd.copyPattern(memory, 0)
        try reader.waitForSuccess()

        let writer = try Child { () throws(Failure) in
            var word: UInt64 = 0x1122_3344_5566_7788
            try transferWord(of: parent, at: memory.address(1) + 64, &word, write: true)
            return 0
        }
        try context.expectFault(uffd, at: memory.address(1), .write)
        try uffd.copyPattern(memory, 1)
        try writer.waitForSuccess()
        try context.expectEqual(cuffd_load64(memory.address(1) + 64), 0x1122_3344_5566_7788, "word written")
        try memory.check(0..<2, "after access from another process")

        var ends: [Int32] = [0, 0]
        try checked("pipe", pipe(&ends))
        let (output, input) = (ends[0], ends[1])
        let splicing = try BlockingCall {
            var vector = iovec(iov_base: UnsafeMutableRawPointer(bitPattern: memory.address(2)), iov_len: 8)
            return vmsplice(input, &vector, 1, 0)
        }
        try context.expectFault(uffd, at: memory.address(2), [])
        try uffd.copyPattern(memory, 2)
        try context.expectEqual(splicing.finish(), 8, "vmsplice(2) of a missing page")
        var word: UInt64 = 0
        try context.expectEqual(read(output, &word, 8), 8, "bytes read from the pipe")
        try context.expectEqual(word, expected[1], "word spliced")
    }

    private static func sigbus(_ context: Context) throws(Failure) {
        let memory = try Memory(context.kind, pages: 3)
        let uffd = try register(memory, features: .sigbus)
        for probe in [Probe.read(memory.address(0)), Probe.write(memory.address(1), 1)] {
            try context.expectEqual(probe.signal, SIGBUS, "signal of an access to a missing page")
            try context.expectEqual(probe.code, Int32(BUS_ADRERR), "its si_code")
        }
        context.sawTrap()
        try expectKernelFault(context, memory.address(2))
        try context.expectNoMessage(uffd, "after accesses that raised SIGBUS")
        try uffd.copyPattern(memory, 0)
        try uffd.copyPattern(memory, 1)
        try memory.check(0..<2, "after COPY")
        try context.expectErrno(.exists, "COPY after COPY") { () throws(Failure) in try uffd.copyPattern(memory, 0) }
    }

    /// Shows that read(2) into an address and process_vm_readv(2) from it fail with EFAULT.
    static func expectKernelFault(_ context: Context, _ address: UInt) throws(Failure) {
        var ends: [Int32] = [0, 0]
        try checked("pipe", pipe(&ends))
        var byte: UInt8 = 1
        try context.expectEqual(write(ends[1], &byte, 1), 1, "bytes written to the pipe")
        let count = read(ends[0], UnsafeMutableRawPointer(bitPattern: address), 1)
        let code = cuffd_errno()
        try context.expect(count == -1 && code == EFAULT, "read(2) gave \(count), \(Errno(code: code).name)")
        var word: UInt64 = 0
        try context.expectErrno(.fault, "process_vm_readv") { () throws(Failure) in
            try transferWord(of: getpid(), at: address, &word, write: false)
        }
        close(ends[0])
        close(ends[1])
    }

    private static func userModeOnly(_ context: Context) throws(Failure) {
        let memory = try Memory(context.kind, pages: 2)
        let uffd = try Userfaultfd(features: [], flags: [.nonblocking, .userModeOnly])
        try uffd.register(memory.range, .missing)
        try expectKernelFault(context, memory.address(0))
        try context.expectNoMessage(uffd, "after accesses of the kernel's")
        let reader = try Access.read(memory, 0)
        try context.expectFault(uffd, at: memory.address(0), [])
        try uffd.copyPattern(memory, 0)
        try reader.finish()
        try memory.check(0..<1, "after COPY")
    }

    private static func signal(_ context: Context) throws(Failure) {
        let memory = try Memory(context.kind, pages: 2)
        let uffd = try register(memory)
        cuffd_count_signal(SIGUSR1)
        let writer = try Access.write(memory, 1, offset: 64, 8)
        try context.expectFault(uffd, at: memory.address(1), .write)
        for round in 1...3 {
            try writer.signal(SIGUSR1)
            // The access starts anew after the handler and sends its message again.
            try context.expectFault(uffd, at: memory.address(1), .write)
            try context.expectEqual(Int(cuffd_signals_counted()), round, "signals handled while blocked")
            try context.expectWaiters(uffd, 1, "after signal \(round)")
        }
        try uffd.copyPattern(memory, 1)
        try writer.finish()
        try context.expectEqual(memory.load(1, offset: 64), 8, "byte written")
        try memory.check(1..<2, "after COPY")
    }

    private static func kill(_ context: Context) throws(Failure) {
        try killed(context) { (memory) throws(Failure) in try register(memory) }
    }

    /// Kills a process that is blocked on its memory, in user mode and in a system call; `register` runs in the process.
    static func killed(
        _ context: Context,
        _ register: (Memory) throws(Failure) -> Userfaultfd
    ) throws(Failure) {
        for inSystemCall in [false, true] {
            let memory = try Memory(context.kind, pages: 1)
            let board = try Memory(.shmem, pages: 1)
            let child = try Child { () throws(Failure) in
                let uffd = try register(memory)
                board.store(0, UInt8(uffd.descriptor))
                guard inSystemCall else { return Int32(memory.load(0)) }
                return Int32(write(1, UnsafeRawPointer(bitPattern: memory.address(0)), 1))
            }
            while board.load(0) == 0 { sched_yield() }
            let uffd = Userfaultfd(descriptor: Int32(board.load(0)))
            try uffd.waitForPending(1, process: child.identifier)
            context.sawTrap()
            try child.signal(SIGKILL)
            try context.expect(child.wait() == .killed(signal: SIGKILL), "SIGKILL did not end a blocked process")
        }
    }
}
