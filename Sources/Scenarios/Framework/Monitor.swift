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
