// SPDX-License-Identifier: GPL-2.0-only

import CUserfaultfd

/// Reading messages. The descriptor is non-blocking, as `init(features:)` opens it.
extension Userfaultfd {
    /// The next message if one is there now, else nil. Allocates no memory: a fork(2) whose event is to be read holds
    /// libc's heap meanwhile.
    public func poll() throws(Failure) -> Message? {
        var message = uffd_msg()
        return try read(&message, 1) == 0 ? nil : Message(message)
    }

    /// The messages that are there now, at most so many, by one read(2).
    public func poll(upTo count: Int) throws(Failure) -> [Message] {
        var messages = [uffd_msg](repeating: uffd_msg(), count: count)
        let got = try read(&messages, count)
        return messages[..<got].map { Message($0) }
    }

    /// Reads up to so many messages and tells how many there were.
    private func read(_ messages: UnsafeMutablePointer<uffd_msg>, _ count: Int) throws(Failure) -> Int {
        let size = MemoryLayout<uffd_msg>.size
        while true {
            let length = CUserfaultfd.read(descriptor, messages, count * size)
            if length > 0 && length % size == 0 { return length / size }
            if length >= 0 { throw Failure("read of a userfaultfd: \(length) bytes, not a number of messages") }
            let code = cuffd_errno()
            if code == EAGAIN { return 0 }
            if code != EINTR { throw Failure(call: "read of a userfaultfd", code: code) }
        }
    }

    /// The next message; blocks until there is one. The scenario's watchdog is the limit.
    public func next() throws(Failure) -> Message {
        while true {
            if let message = try poll() { return message }
            _ = try waitReadable(descriptor, milliseconds: -1)
        }
    }

    /// The next message, which must be a page fault; blocks until there is one.
    public func nextFault() throws(Failure) -> (address: UInt, flags: FaultFlags) {
        let message = try next()
        guard case .pageFault(let address, let flags, _) = message else {
            throw Failure("expected a page fault, got: \(message.description)")
        }
        return (address, flags)
    }
}

/// Blocks until the descriptor is readable, in error or hung up (poll(2)), and tells which `revents` it has;
/// 0 when the time is over. A negative limit, in milliseconds, is none.
public func waitReadable(_ descriptor: Int32, milliseconds: Int32) throws(Failure) -> Int32 {
    var entry = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
    while true {
        let count = CUserfaultfd.poll(&entry, 1, milliseconds)
        if count >= 0 { return Int32(entry.revents) }
        let code = cuffd_errno()
        if code != EINTR { throw Failure(call: "poll", code: code) }
    }
}
