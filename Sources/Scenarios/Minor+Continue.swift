// SPDX-License-Identifier: GPL-2.0-only

import CUserfaultfd
import Userfaultfd

/// `UFFDIO_CONTINUE`: what it refuses, its modes, and minor faults that do not come from user mode.
extension Minor {
    static let continueScenarios: [Scenario] = [
        Scenario(
            "minor-continue-errors",
            "CONTINUE of holes, mapped pages, foreign and misaligned ranges fails as documented and tells its progress.",
            on: MemoryKind.shared,
            continueErrors
        ),
        Scenario(
            "minor-dontwake",
            "CONTINUE with DONTWAKE maps the page and leaves the waiter asleep until WAKE.",
            on: MemoryKind.shared,
            dontWake
        ),
        Scenario(
            "minor-wp",
            "CONTINUE with MODE_WP maps the page write-protected: a read passes, a write sends WP.",
            on: MemoryKind.shared,
            needs: [.features(.writeProtectFiles)],
            writeProtect
        ),
        Scenario(
            "minor-kernel",
            "read(2) into, write(2) from and process_vm_readv of an unmapped page of the file send MINOR and go on.",
            on: MemoryKind.shared,
            kernel
        ),
        Scenario(
            "minor-sigbus",
            "With UFFD_FEATURE_SIGBUS a minor fault raises SIGBUS or fails with EFAULT, and nothing is sent.",
            on: MemoryKind.shared,
            sigbus
        ),
    ]

    private static func continueErrors(_ context: Context) throws(Failure) {
        let (uffd, memory, alias) = try open(context, pages: 4)
        // Huge pages of shmem would fill the hole too.
        if context.kind == .shmemTHP { try alias.advise(alias.range, MADV_NOHUGEPAGE) }
        alias.fill(0..<2)
        alias.fill(3..<4)
        let reader = try Access.read(memory, 0)
        try context.expectFault(uffd, at: memory.address(0), .minor)
        try context.expectErrno(.fault, "CONTINUE of a hole") { () throws(Failure) in
            try uffd.continue(memory.page(2))
        }
        try context.expectWaiters(uffd, 1, "after a refused CONTINUE")
        var progress: Int64 = -1
        try context.expectErrno(.again, "CONTINUE up to a hole") { () throws(Failure) in
            do throws(Failure) {
                try uffd.continue(memory.pages(0..<4))
            } catch {
                progress = error.progress
                throw error
            }
        }
        try context.expectEqual(progress, Int64(2 * memory.pageSize), "bytes mapped")
        try reader.finish()
        try context.expectErrno(.exists, "CONTINUE of a mapped page") { () throws(Failure) in
            try uffd.continue(memory.page(1))
        }
        try context.expectErrno(.noEntry, "CONTINUE of an unregistered VMA") { () throws(Failure) in
            try uffd.continue(alias.page(3))
        }
        if context.kind.isHugetlb {
            try context.expectErrno(.invalid, "CONTINUE of part of a huge page") { () throws(Failure) in
                try uffd.continue(AddressRange(start: memory.address(3), length: basePageSize))
            }
        }
        try context.expectErrno(.invalid, "CONTINUE with MODE_WP without WP registered") { () throws(Failure) in
            try uffd.continue(memory.page(3), .writeProtect)
        }
        try memory.check(0..<2, "after CONTINUE")
        try context.expect(!memory.entry(3).isPresent, "a CONTINUE that stopped before page 3 mapped it")
    }

    private static func dontWake(_ context: Context) throws(Failure) {
        let (uffd, memory, alias) = try open(context, pages: 2)
        alias.fill(0..<2)
        let reader = try Access.read(memory, 1)
        try context.expectFault(uffd, at: memory.address(1), .minor)
        try uffd.continue(memory.page(1), .dontWake)
        try context.expect(memory.entry(1).isPresent, "CONTINUE with DONTWAKE mapped nothing")
        try uffd.wake(memory.page(0))
        try context.expectWaiters(uffd, 1, "after CONTINUE with DONTWAKE and WAKE of another page")
        try context.expect(!reader.isFinished, "the access went on before WAKE")
        try uffd.wake(memory.page(1))
        try reader.finish()
        try memory.check(1..<2, "after WAKE")
    }

    private static func writeProtect(_ context: Context) throws(Failure) {
        let (uffd, memory, alias) = try open(
            context,
            pages: 2,
            [.minor, .writeProtect],
            features: [.writeProtectFiles]
        )
        alias.fill(0..<2)
        let reader = try Access.read(memory, 1)
        try context.expectFault(uffd, at: memory.address(1), .minor)
        try uffd.continue(memory.page(1), .writeProtect)
        try reader.finish()
        try memory.check(1..<2, "after CONTINUE with MODE_WP")
        try context.expect(memory.entry(1).isUffd, "pagemap does not show the page write-protected")
        try context.expectNoMessage(uffd, "after reads of a write-protected page")

        let writer = try Access.write(memory, 1, offset: 64, 3)
        try context.expectFault(uffd, at: memory.address(1), [.writeProtect, .write])
        try context.expectEqual(alias.load(1, offset: 64), 0, "byte before the write was let through")
        try uffd.writeProtect(memory.page(1), false)
        try writer.finish()
        try context.expectEqual(alias.load(1, offset: 64), 3, "byte written")

        // Unprotected as usual: the next page takes a write at once.
        let second = try Access.write(memory, 0, offset: 64, 4)
        try context.expectFault(uffd, at: memory.address(0), [.minor, .write])
        try uffd.continue(memory.page(0))
        try second.finish()
        try memory.check(0..<2, "after all")
        try context.expectNoMessage(uffd, "after a write to a page that is not protected")
    }

    private static func kernel(_ context: Context) throws(Failure) {
        let (uffd, memory, alias) = try open(context, pages: 3)
        alias.fill(0..<3)
        var ends: [Int32] = [0, 0]
        try checked("pipe", pipe(&ends))
        let (output, input) = (ends[0], ends[1])
        let writing = try BlockingCall { write(input, UnsafeRawPointer(bitPattern: memory.address(0)), 8) }
        try context.expectFault(uffd, at: memory.address(0), .minor)
        try uffd.continue(memory.page(0))
        try context.expectEqual(writing.finish(), 8, "write(2) from an unmapped page")
        let target = memory.address(1) + 64
        let reading = try BlockingCall { read(output, UnsafeMutableRawPointer(bitPattern: target), 8) }
        try context.expectFault(uffd, at: memory.address(1), [.minor, .write])
        try uffd.continue(memory.page(1))
        try context.expectEqual(reading.finish(), 8, "read(2) into an unmapped page")
        try context.expectEqual(cuffd_load64(target), cuffd_load64(alias.address(0)), "word through the pipe")

        let parent = getpid()
        let expected = cuffd_load64(alias.address(2))
        let child = try Child { () throws(Failure) in
            var word: UInt64 = 0
            try transferWord(of: parent, at: memory.address(2), &word, write: false)
            return word == expected ? 0 : 1
        }
        try context.expectFault(uffd, at: memory.address(2), .minor)
        try uffd.continue(memory.page(2))
        try child.waitForSuccess()
        try memory.check(0..<3, "after all")
    }

    private static func sigbus(_ context: Context) throws(Failure) {
        let (uffd, memory, alias) = try open(context, pages: 3, features: .sigbus)
        alias.fill(0..<3)
        for probe in [Probe.read(memory.address(0)), Probe.write(memory.address(1), 1)] {
            try context.expectEqual(probe.signal, SIGBUS, "signal of a minor fault")
            try context.expectEqual(probe.code, Int32(BUS_ADRERR), "its si_code")
        }
        context.sawTrap()
        try Missing.expectKernelFault(context, memory.address(2))
        try context.expectNoMessage(uffd, "after accesses that raised SIGBUS")
        try uffd.continue(memory.pages(0..<3))
        try memory.check(0..<3, "after CONTINUE")
    }
}
