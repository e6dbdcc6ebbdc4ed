// SPDX-License-Identifier: GPL-2.0-only

import CUserfaultfd
import Userfaultfd

/// Who sleeps, and who wakes.
extension WriteProtect {
    static let waiting: [Scenario] = [
        tracked(
            "wp-dontwake",
            "Resolving with DONTWAKE leaves the writer asleep until UFFDIO_WAKE."
        ) { (context, tracked) throws(Failure) in
            let thread = try tracked.writer(1, 9)
            try tracked.expectMessage(1)
            try waitAsleep(thread)
            try tracked.resolve(1..<2, dontWake: true)
            try tracked.expectNoTrap(1, offset: 64)
            try context.expectEqual(try tracked.uffd.waiters().total, 1, "waiters after DONTWAKE")
            try context.expect(!thread.isFinished, "DONTWAKE woke the writer")
            try tracked.uffd.wake(tracked.memory.page(1))
            try thread.join()
            try context.expectEqual(tracked.memory.load(1), 9, "byte written")
            try tracked.expectQuiet("after the wake")
        },
        tracked(
            "wp-wake-protected",
            "UFFDIO_WAKE of a page that is still protected makes the writer trap again."
        ) { (context, tracked) throws(Failure) in
            let thread = try tracked.writer(1, 9)
            try tracked.expectMessage(1)
            try waitAsleep(thread)
            try tracked.uffd.wake(tracked.memory.page(1))
            try tracked.expectMessage(1)
            try context.expect(!thread.isFinished, "a protected page was written")
            try tracked.resolve(1..<2)
            try thread.join()
        },
        tracked(
            "wp-waiters-one-page",
            "Two writers of one page get a message each, and one resolution wakes both."
        ) { (context, tracked) throws(Failure) in
            let first = try tracked.writer(1, offset: 8, 1)
            let second = try tracked.writer(1, offset: 16, 2)
            try tracked.expectMessage(1)
            try tracked.expectMessage(1)
            try waitAsleep(first)
            try waitAsleep(second)
            try tracked.resolve(1..<2)
            try first.join()
            try second.join()
            try context.expectEqual(tracked.memory.load(1, offset: 8), 1, "the first writer's byte")
            try context.expectEqual(tracked.memory.load(1, offset: 16), 2, "the second writer's byte")
        },
        tracked(
            "wp-waiters-two-pages",
            "Resolving one page wakes its writer and not the writer of the next page."
        ) { (context, tracked) throws(Failure) in
            let first = try tracked.writer(1, 1)
            try tracked.expectMessage(1)
            let second = try tracked.writer(2, 2)
            try tracked.expectMessage(2)
            try waitAsleep(first)
            try waitAsleep(second)
            try tracked.resolve(1..<2)
            try first.join()
            try context.expectEqual(try tracked.uffd.waiters().total, 1, "waiters after the first page was resolved")
            try context.expect(!second.isFinished, "the second writer woke too")
            try tracked.expectQuiet("the second writer did not wake, so it did not trap again")
            try tracked.resolve(2..<3)
            try second.join()
            try context.expectEqual(tracked.memory.load(1), 1, "the first writer's byte")
            try context.expectEqual(tracked.memory.load(2), 2, "the second writer's byte")
        },
        tracked(
            "wp-threads",
            "Eight threads write one protected page at once while a monitor resolves: every byte lands."
        ) { (context, tracked) throws(Failure) in
            let memory = tracked.memory
            let monitor = try Monitor(tracked.uffd) { (message) throws(Failure) in
                guard case .pageFault(let address, _, _) = message else { throw Failure(message.description) }
                let range = AddressRange(start: address, length: memory.pageSize)
                try tracked.uffd.writeProtect(range, false)
                context.sawTrap()
            }
            var threads: [Thread] = []
            for index in 0..<8 {
                threads.append(
                    try Thread { () throws(Failure) in
                        for page in 0..<4 { memory.store(page, offset: UInt(100 + index), UInt8(index + page)) }
                    }
                )
            }
            for thread in threads { try thread.join() }
            try monitor.stop()
            for page in 0..<4 {
                for index in 0..<8 {
                    let value = memory.load(page, offset: UInt(100 + index))
                    try context.expectEqual(value, UInt8(index + page), "byte \(index) of page \(page)")
                }
            }
            try memory.check("around the bytes")
        },
        tracked(
            "wp-signal",
            "A signal interrupts a blocked writer: its handler runs, and the write then traps again.",
            protected: false
        ) { (context, tracked) throws(Failure) in
            let handled = handledSignals[0]
            signal(SIGUSR1) { _ in handledSignals.add(1, at: 0) }
            try tracked.protect()
            let thread = try tracked.writer(1, 3)
            try tracked.expectMessage(1)
            try waitAsleep(thread)
            try thread.signal(SIGUSR1)
            try tracked.expectMessage(1)
            try context.expectEqual(handledSignals[0], handled + 1, "signals handled while the write is blocked")
            try context.expect(!thread.isFinished, "the signal let the write through")
            try tracked.resolve(1..<2)
            try thread.join()
            try context.expectEqual(tracked.memory.load(1), 3, "byte written")
        },
        tracked(
            "wp-kill",
            "SIGKILL ends a process that is blocked on a protected page whose monitor never answers.",
            protected: false
        ) { (context, tracked) throws(Failure) in
            try tracked.showTrapOnce()
            let ready = try Pipe()
            let child = try Child { () throws(Failure) in
                let blocked = try Tracked(context)
                try blocked.protect()
                let thread = try blocked.writer(1, 1)
                try blocked.expectMessage(1)
                try waitAsleep(thread)
                try ready.send(from: tracked.memory.address(0), count: 1)
                try thread.join()
                return 1
            }
            _ = try ready.readByte()
            try child.signal(SIGKILL)
            let end = try child.wait()
            try context.expect(end == .killed(signal: SIGKILL), "the child did not die of SIGKILL")
        },
    ]
}

/// How often the handler of wp-signal ran; a signal handler cannot capture.
private let handledSignals = Words(1)

extension Tracked {
    /// Shows that the traps fire, and leaves everything resolved.
    func showTrapOnce() throws(Failure) {
        try protect()
        try expectTrap(0)
        try resolve()
    }
}
