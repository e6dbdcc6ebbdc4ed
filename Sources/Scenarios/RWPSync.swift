// SPDX-License-Identifier: GPL-2.0-only

import CUserfaultfd
import Userfaultfd

/// Synchronous read-write protection: an access blocks until the monitor resolves it (rule F1).
enum RWPSync {
    static let scenarios: [Scenario] = [
        Scenario(
            "rwp-sync-read",
            "a read of an armed page blocks with one message until it is resolved",
            rules: "F1 P2 P5",
            on: MemoryKind.all,
            needs: Need.rwp,
            read
        ),
        Scenario(
            "rwp-sync-write",
            "a write to an armed page blocks with a WRITE message until it is resolved",
            rules: "F1 P2",
            on: MemoryKind.all,
            needs: Need.rwp,
            write
        ),
        Scenario(
            "rwp-sync-dontwake",
            "resolving with DONTWAKE leaves the waiter asleep until WAKE, or until resolving without it",
            rules: "P2",
            on: MemoryKind.all,
            needs: Need.rwp,
            dontWake
        ),
        Scenario(
            "rwp-sync-two-waiters",
            "one resolve wakes both who wait on a page",
            rules: "F1 P2",
            on: MemoryKind.all,
            needs: Need.rwp,
            twoWaiters
        ),
        Scenario(
            "rwp-sync-two-pages",
            "resolving one page leaves who waits on its neighbours asleep",
            rules: "P5",
            on: MemoryKind.all,
            needs: Need.rwp,
            twoPages
        ),
        Scenario(
            "rwp-sync-monitor",
            "a monitor thread that polls serves four threads over all pages",
            rules: "F1",
            on: MemoryKind.all,
            needs: Need.rwp,
            monitor
        ),
        Scenario(
            "rwp-sync-system-call",
            "a system call that reads an armed page blocks and then gives its data",
            rules: "F1 F5",
            on: MemoryKind.all,
            needs: Need.rwp,
            systemCall
        ),
        Scenario(
            "rwp-sync-signal",
            "a signal reaches a thread that is blocked, which then blocks again",
            rules: "F1",
            on: MemoryKind.all,
            needs: Need.rwp,
            signal
        ),
        Scenario(
            "rwp-sync-arm-again",
            "arming again wakes nobody who waits",
            rules: "P1 P2",
            on: MemoryKind.all,
            needs: Need.rwp,
            armAgain
        ),
        Scenario(
            "rwp-sync-unarmed",
            "an unarmed page of the range never traps",
            rules: "F1 P1",
            on: MemoryKind.all,
            needs: Need.rwp,
            unarmed
        ),
    ]

    private static func read(_ context: Context) throws(Failure) {
        let protected = try Protected(context, async: false)
        try protected.armAll()
        for chunk in [1, 3] {
            try protected.expectTrap(chunk, .read)
            protected.memory.load(protected.memory.firstPage(chunk))
        }
        try protected.expectNoMessage("after resolving")
        try protected.expectAccessed([1, 3], "after two traps")
        try protected.resolve(0..<4)
        try protected.memory.check("at the end")
    }

    private static func write(_ context: Context) throws(Failure) {
        let protected = try Protected(context, async: false)
        let memory = protected.memory
        try protected.armAll()
        for chunk in [0, 2] {
            try protected.expectTrap(chunk, .write(0x5A), offset: memory.chunkSize - 100)
            let page = memory.firstPage(chunk)
            try context.expectEqual(memory.load(page, offset: memory.chunkSize - 100), 0x5A, "the byte written")
        }
        try protected.expectNoMessage("after resolving")
        try protected.expectAccessed([0, 2], "after two traps")
        try protected.resolve(0..<4)
        try memory.check("at the end")
    }

    private static func dontWake(_ context: Context) throws(Failure) {
        let protected = try Protected(context, async: false)
        let (memory, uffd) = (protected.memory, protected.uffd)
        try protected.armAll()
        // The second waiter is woken by resolving again, where there is nothing left to resolve.
        for chunk in 1..<3 {
            let thread = try protected.touch(chunk)
            try protected.expectMessage(chunk, .read)
            try waitAsleep(thread)
            try uffd.readWriteProtect(memory.chunk(chunk), false, dontWake: true)
            try protected.expectAccessed(Array(1...chunk), "resolved with DONTWAKE")
            try waitAsleep(thread)
            try context.expect(!thread.isFinished, "DONTWAKE woke the waiter")
            if chunk == 1 { try uffd.wake(memory.chunk(chunk)) } else { try protected.resolve(chunk..<3) }
            try thread.join()
        }
        try protected.expectNoMessage("after both went on")
    }

    private static func twoWaiters(_ context: Context) throws(Failure) {
        let protected = try Protected(context, async: false)
        try protected.armAll()
        let reader = try protected.touch(1)
        let writer = try protected.touch(1, .write(7), offset: 512)
        var writes = 0
        for _ in 0..<2 {
            let fault = try protected.uffd.nextFault()
            try context.expect(protected.memory.chunk(1).contains(fault.address), "address of a message")
            try context.expect(fault.flags.contains(.readWriteProtect), "RWP flag of a message")
            if fault.flags.contains(.write) { writes += 1 }
            context.sawTrap()
        }
        try context.expectEqual(writes, 1, "messages with the WRITE flag")
        try protected.resolve(1..<2)
        try reader.join()
        try writer.join()
        let got = protected.memory.load(protected.memory.firstPage(1), offset: 512)
        try context.expectEqual(got, 7, "the byte written")
        try protected.expectNoMessage("after both went on")
    }

    private static func twoPages(_ context: Context) throws(Failure) {
        let protected = try Protected(context, async: false)
        try protected.armAll()
        // As near as can be: the last byte of the chunk before, the first of the one behind.
        let before = try protected.touch(0, offset: protected.memory.chunkSize - 1)
        try protected.expectMessage(0, .read)
        let resolved = try protected.touch(1)
        try protected.expectMessage(1, .read)
        let behind = try protected.touch(2)
        try protected.expectMessage(2, .read)
        try protected.resolve(1..<2)
        try context.expectAsleep(protected.uffd, 2)
        try resolved.join()
        try protected.expectAccessed([1], "chunk 1 resolved")
        try protected.resolve(2..<3)
        try context.expectAsleep(protected.uffd, 1)
        try behind.join()
        try protected.resolve(0..<1)
        try before.join()
        try protected.expectNoMessage("after all went on")
    }

    private static func monitor(_ context: Context) throws(Failure) {
        let protected = try Protected(context, async: false, chunks: 8)
        let memory = protected.memory
        try protected.armAll()
        let monitor = try Monitor(protected.uffd) { (message) throws(Failure) in
            guard case .pageFault(let address, let flags, _) = message, flags.contains(.readWriteProtect) else {
                throw Failure("unexpected \(message.description)")
            }
            context.sawTrap()
            let chunk = Int((address - memory.range.start) / memory.chunkSize)
            try protected.resolve(chunk..<(chunk + 1))
        }
        var threads: [Thread] = []
        for index in 0..<4 {
            threads.append(
                try Thread { () throws(Failure) in
                    for step in 0..<8 {
                        memory.load(memory.firstPage((step + 2 * index) % 8))
                    }
                }
            )
        }
        for thread in threads { try thread.join() }
        try monitor.stop()
        try context.expect(monitor.messages >= 8, "\(monitor.messages) messages for 8 armed chunks")
        try protected.expectAccessed(Array(0..<8), "after all were touched")
        try memory.check("at the end")
    }

    private static func systemCall(_ context: Context) throws(Failure) {
        let protected = try Protected(context, async: false)
        let memory = protected.memory
        let wanted = memory.load(memory.firstPage(1))
        try protected.armAll()
        let pipe = try Pipe()
        let source = memory.address(memory.firstPage(1))
        let thread = try Thread { () throws(Failure) in try pipe.send(from: source, count: 1) }
        try protected.expectMessage(1, .read)
        try protected.resolve(1..<2)
        try thread.join()
        try context.expectEqual(try pipe.readByte(), wanted, "the byte that write(2) took from an armed page")
    }

    private static func signal(_ context: Context) throws(Failure) {
        let protected = try Protected(context, async: false)
        try protected.armAll()
        cuffd_count_signal(SIGUSR1)
        let thread = try protected.touch(1)
        try protected.expectMessage(1, .read)
        try thread.signal(SIGUSR1)
        // The signal interrupts the wait; its handler runs and the access faults again, with a second message.
        try protected.expectMessage(1, .read)
        try context.expectEqual(cuffd_signals_counted(), 1, "runs of the handler")
        try protected.resolve(1..<2)
        try thread.join()
        try protected.expectNoMessage("after resolving")
    }

    private static func armAgain(_ context: Context) throws(Failure) {
        let protected = try Protected(context, async: false)
        try protected.armAll()
        let reader = try protected.touch(1)
        try protected.expectMessage(1, .read)
        for _ in 0..<2 { try protected.armAll() }
        try context.expectAsleep(protected.uffd, 1)
        try protected.resolve(1..<2)
        try reader.join()
        try protected.expectNoMessage("after resolving")
        try protected.expectAccessed([1], "after one trap")
    }

    private static func unarmed(_ context: Context) throws(Failure) {
        let protected = try Protected(context, async: false)
        let memory = protected.memory
        try protected.showTrap()
        try protected.arm(2..<3)
        for chunk in [0, 1, 3] { memory.store(memory.firstPage(chunk), offset: 100, 3) }
        try protected.expectNoMessage("access of unarmed chunks")
        try protected.expectAccessed([0, 1, 3], "with chunk 2 armed")
        try protected.expectTrap(2, .write(1), offset: 100)
        try memory.check("at the end")
    }
}
