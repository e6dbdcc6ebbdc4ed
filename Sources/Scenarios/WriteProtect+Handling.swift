// SPDX-License-Identifier: GPL-2.0-only

import CUserfaultfd
import Userfaultfd

/// How a userfaultfd is used beside reading it in turn: poll, SIGBUS, user mode alone, pages that arrive protected.
extension WriteProtect {
    static let handling: [Scenario] = [
        tracked(
            "wp-poll",
            "A non-blocking descriptor is readable exactly while a fault is unread, and reads EAGAIN otherwise.",
            protected: false
        ) { (context, tracked) throws(Failure) in
            let descriptor = tracked.uffd.descriptor
            try tracked.protect()
            try context.expectEqual(try waitReadable(descriptor, milliseconds: 0), 0, "revents without a fault")
            let thread = try tracked.writer(1, 4)
            try context.expectEqual(try waitReadable(descriptor, milliseconds: -1), POLLIN, "revents with a fault")
            try tracked.expectMessage(1)
            try context.expectEqual(try waitReadable(descriptor, milliseconds: 0), 0, "revents after the read")
            try tracked.expectQuiet("after the only message")
            try tracked.resolve()
            try thread.join()
        },
        tracked(
            "wp-poll-blocking",
            "A blocking descriptor delivers by read(2), and poll(2) of it is an error.",
            on: [.anon],
            flags: []
        ) { (context, tracked) throws(Failure) in
            let revents = try waitReadable(tracked.uffd.descriptor, milliseconds: 0)
            try context.expectEqual(revents, POLLERR, "revents of a blocking descriptor")
            let thread = try tracked.writer(1, 4)
            try tracked.expectMessage(1)
            try tracked.resolve()
            try thread.join()
        },
        tracked(
            "wp-sigbus",
            "With SIGBUS a write to a protected page raises the signal, sends no message and changes nothing.",
            features: .sigbus
        ) { (context, tracked) throws(Failure) in
            let memory = tracked.memory
            let address = memory.address(1) + 8
            let before = memory.load(1, offset: 8)
            for _ in 0..<2 {
                try context.expectEqual(Probe.write(address, before ^ 0xFF).signal, SIGBUS, "signal of a write")
                context.sawTrap()
            }
            try context.expectEqual(Probe.read(address).signal, 0, "signal of a read")
            try context.expectEqual(memory.load(1, offset: 8), before, "byte under protection")
            try tracked.expectQuiet("under SIGBUS")
            try tracked.resolve(1..<2)
            try context.expectEqual(Probe.write(address, 1).signal, 0, "signal of a write after resolving")
            try context.expectEqual(Probe.write(memory.address(2), 1).signal, SIGBUS, "signal of the next page")
        },
        tracked(
            "wp-user-mode-only",
            "UFFD_USER_MODE_ONLY: a write of the program traps; one of the kernel's on its behalf fails with EFAULT.",
            protected: false,
            flags: [.nonblocking, .userModeOnly]
        ) { (context, tracked) throws(Failure) in
            let memory = tracked.memory
            let source = try Memory(.anon, pages: 1)
            source.fill(seed: 9)
            try tracked.protect()
            let pipe = try Pipe()
            try pipe.send(from: source.address(0), count: 64)
            try context.expectErrno(.fault, "read(2) into a protected page") { () throws(Failure) in
                try pipe.receive(to: memory.address(1), count: 64)
            }
            try tracked.expectQuiet("after the kernel's access")
            try memory.check("after the kernel's access")
            try tracked.expectTrap(1)
        },
        tracked(
            "wp-kernel-write",
            "read(2) into a protected page delivers one message, and goes on once it is resolved.",
            needs: [.root],
            protected: false
        ) { (context, tracked) throws(Failure) in
            let memory = tracked.memory
            let pipe = try Pipe()
            try pipe.send(from: memory.address(2), count: 64)
            try tracked.protect()
            let thread = try Thread { () throws(Failure) in
                try pipe.receive(to: memory.address(1), count: 64)
            }
            try tracked.expectMessage(1)
            try tracked.resolve(1..<2)
            try thread.join()
            try context.expectEqual(memory.load(1), memory.load(2), "first byte read")
            try tracked.expectQuiet("after one read(2)")
        },
        tracked(
            "wp-copy-protected",
            "UFFDIO_COPY with MODE_WP: the page arrives with its bytes and protected; readers go on, writers trap.",
            needs: [.features([.missingShmem, .missingHugetlbfs])],
            mode: [.missing, .writeProtect],
            populated: false,
            protected: false
        ) { (context, tracked) throws(Failure) in
            let memory = tracked.memory
            let reader = try Thread { () throws(Failure) in try memory.check(1..<2, "the page that was copied in") }
            try tracked.expectMissing(1, [])
            try tracked.uffd.copy(to: memory.page(1), from: try memory.pattern(of: 1).range.start, .writeProtect)
            try reader.join()
            try tracked.expectProtected(1..<2, "after COPY with MODE_WP")
            try tracked.expectTrap(1)

            let writer = try tracked.writer(2, 6)
            try tracked.expectMissing(2, .write)
            try tracked.uffd.copy(to: memory.page(2), from: try memory.pattern(of: 2).range.start, .writeProtect)
            try tracked.expectMessage(2)
            try memory.check(2..<3, "the page that a writer waits for")
            try tracked.resolve(2..<3)
            try writer.join()
            try context.expectEqual(memory.load(2), 6, "byte written")
        },
        tracked(
            "wp-continue-protected",
            "UFFDIO_CONTINUE with MODE_WP: the page cache's page is mapped protected; readers go on, writers trap.",
            on: MemoryKind.shared,
            needs: [.features([.minorShmem, .minorHugetlbfs])],
            mode: [.minor, .writeProtect],
            populated: false,
            protected: false
        ) { (context, tracked) throws(Failure) in
            let memory = tracked.memory
            try memory.alias().fill()
            let reader = try Thread { () throws(Failure) in try memory.check(1..<2, "the page that was mapped") }
            try tracked.expectMissing(1, .minor)
            try tracked.uffd.continue(memory.page(1), .writeProtect)
            try reader.join()
            try tracked.expectProtected(1..<2, "after CONTINUE with MODE_WP")
            try tracked.expectTrap(1)

            let writer = try tracked.writer(2, 6)
            try tracked.expectMissing(2, [.minor, .write])
            try tracked.uffd.continue(memory.page(2), .writeProtect)
            try tracked.expectMessage(2)
            try tracked.resolve(2..<3)
            try writer.join()
            try context.expectEqual(memory.load(2), 6, "byte written")
        },
    ]
}

extension Tracked {
    /// Takes the next message, which must be a fault of this page with these flags, other than a WP fault.
    func expectMissing(
        _ page: Int,
        _ flags: FaultFlags,
        file: StaticString = #fileID,
        line: UInt = #line
    ) throws(Failure) {
        let fault = try uffd.nextFault()
        try context.expectEqual(fault.address, memory.address(page), "address of the fault", file: file, line: line)
        try context.expectEqual(fault.flags.rawValue, flags.rawValue, "flags of the fault", file: file, line: line)
    }
}

extension Pipe {
    /// Reads bytes that the kernel copies to `address` (read(2) uses copy_to_user, not GUP).
    func receive(to address: UInt, count: Int) throws(Failure) {
        let done = read(reader, UnsafeMutableRawPointer(bitPattern: address), count)
        if done < 0 { throw Failure(call: "read to \(hex(address))", code: cuffd_errno()) }
        if done != count { throw Failure("read to \(hex(address)): \(done) of \(count) bytes") }
    }
}
