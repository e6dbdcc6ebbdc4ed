// SPDX-License-Identifier: GPL-2.0-only

import CUserfaultfd
import Userfaultfd

/// A thread that answers the messages of a userfaultfd until it is stopped, as a monitor process would.
public final class Monitor: Sendable {
    private let thread: Thread
    private let stopEvent: Int32
    private let counters: Words

    /// Starts answering: `answer` is called, on the monitor's thread, with each message.
    public init(
        _ uffd: Userfaultfd,
        _ answer: @escaping @Sendable (Message) throws(Failure) -> Void
    ) throws(Failure) {
        let event = try checked("eventfd", eventfd(0, O_CLOEXEC))
        let counters = Words(1)
        stopEvent = event
        self.counters = counters
        thread = try Thread { () throws(Failure) in
            while try Monitor.wait(uffd.descriptor, stop: event) {
                while let message = try uffd.poll() {
                    counters.add(1, at: 0)
                    try answer(message)
                }
            }
        }
    }

    /// How many messages were answered, or are being.
    public var messages: UInt64 { counters[0] }

    /// Stops the thread after the messages that are there now; throws what `answer` threw. Call it once.
    public func stop() throws(Failure) {
        var one: UInt64 = 1
        _ = write(stopEvent, &one, 8)
        try thread.join()
        _ = close(stopEvent)
    }

    /// Blocks until there is a message (true) or the stop event and no message (false).
    private static func wait(_ descriptor: Int32, stop: Int32) throws(Failure) -> Bool {
        var entries = (
            pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0),
            pollfd(fd: stop, events: Int16(POLLIN), revents: 0)
        )
        while true {
            let count = withUnsafeMutablePointer(to: &entries) { pointer in
                pointer.withMemoryRebound(to: pollfd.self, capacity: 2) { CUserfaultfd.poll($0, 2, -1) }
            }
            if count < 0 {
                if cuffd_errno() == EINTR { continue }
                throw Failure(call: "poll", code: cuffd_errno())
            }
            if Int32(entries.0.revents) & POLLIN != 0 { return true }
            if entries.1.revents != 0 { return false }
            if entries.0.revents != 0 { throw Failure("poll of a userfaultfd: \(entries.0.revents)") }
        }
    }
}

extension Context {
    /// Has four threads read and write the first `count` pages of `memory`, a power of two, each in an order of its own,
    /// while a monitor of `uffd` brings what is missing: `fetch` is called with a page's number at the page's first
    /// message, whose flags include `flags`. It must leave the page as `Memory.fill(_:seed:)` does.
    func fault(
        on memory: Memory,
        first count: Int,
        _ uffd: Userfaultfd,
        _ flags: FaultFlags = [],
        fetch: @escaping @Sendable (_ page: Int) throws(Failure) -> Void
    ) throws(Failure) {
        let fetched = Words(count)
        let monitor = try Monitor(uffd) { message throws(Failure) in
            guard case .pageFault(let address, let seen, _) = message, seen.contains(flags) else {
                throw Failure("unexpected \(message.description)")
            }
            let page = Int((address - memory.range.start) / memory.pageSize)
            if fetched.add(1, at: page) == 0 {
                try fetch(page)
            } else {
                // The message of a second waiter, which the first one's answer may have woken before it was read.
                try uffd.wake(memory.page(page))
            }
        }
        var threads: [Thread] = []
        for index in 0..<4 {
            threads.append(
                try Thread { () throws(Failure) in
                    for step in 0..<count {
                        // An odd stride visits each page of a power of two once.
                        let page = (step * (2 * index + 1) + index * count / 4) % count
                        try memory.check(page..<(page + 1), "in thread \(index)")
                        memory.store(page, offset: 64 + UInt(index), UInt8(index + 1))
                    }
                }
            )
        }
        for thread in threads { try thread.join() }
        try monitor.stop()
        try memory.check(0..<count, "after all threads")
        for page in 0..<count {
            try expect(fetched[page] > 0, "page \(page) never faulted")
            for index in 0..<4 {
                try expectEqual(memory.load(page, offset: 64 + UInt(index)), UInt8(index + 1), "mark")
            }
        }
        sawTrap()
    }
}
