// SPDX-License-Identifier: GPL-2.0-only

import CUserfaultfd
import Userfaultfd

/// One access of one byte by a thread of its own, so that a trap may block it.
final class Access: Sendable {
    private let thread: Thread
    private let outcome: Words

    private init(_ body: @escaping @Sendable (Words) -> Void) throws(Failure) {
        let outcome = Words(3)
        self.outcome = outcome
        thread = try Thread { () throws(Failure) in body(outcome) }
    }

    /// Starts a thread that reads a byte of a page.
    static func read(_ memory: Memory, _ page: Int, offset: UInt = 0) throws(Failure) -> Access {
        try Access { $0[0] = UInt64(memory.load(page, offset: offset)) }
    }

    /// Starts a thread that writes a byte of a page.
    static func write(_ memory: Memory, _ page: Int, offset: UInt = 0, _ value: UInt8) throws(Failure) -> Access {
        try Access { _ in memory.store(page, offset: offset, value) }
    }

    /// Starts a thread that reads a byte of a page and catches the signal that this may raise.
    static func probe(_ memory: Memory, _ page: Int) throws(Failure) -> Access {
        try Access { outcome in
            let probe = Probe.read(memory.address(page))
            outcome[0] = UInt64(probe.value)
            outcome[1] = UInt64(probe.signal)
            outcome[2] = UInt64(probe.code)
        }
    }

    /// The thread's id in the kernel.
    var kernelID: Int32 { thread.kernelID }

    /// Whether the access is over.
    var isFinished: Bool { thread.isFinished }

    /// Sends the thread a signal.
    func signal(_ number: Int32) throws(Failure) {
        try thread.signal(number)
    }

    /// Waits for the access and gives the byte that it read. Call this, or `finishProbe()`, once.
    @discardableResult
    func finish() throws(Failure) -> UInt8 {
        try thread.join()
        return UInt8(outcome[0])
    }

    /// Waits for the access and tells the signal that it raised, 0 for none, and its `si_code`.
    func finishProbe() throws(Failure) -> (signal: Int32, code: Int32) {
        try thread.join()
        return (Int32(outcome[1]), Int32(outcome[2]))
    }
}

/// A system call made by a thread of its own, so that a trap or an unread event may block it.
final class BlockingCall: Sendable {
    private let thread: Thread
    private let result = Words(1)

    /// Starts a thread that makes a call; `call` gives its result, or the negated error number.
    init(_ call: @escaping @Sendable () -> Int) throws(Failure) {
        let result = result
        thread = try Thread { () throws(Failure) in result[0] = UInt64(bitPattern: Int64(call())) }
    }

    /// Whether the call has returned.
    var isFinished: Bool { thread.isFinished }

    /// Waits for the call and gives its result, or the negated error number.
    func finish() throws(Failure) -> Int {
        try thread.join()
        return Int(Int64(bitPattern: result[0]))
    }

    /// Waits until the kernel has put the thread to sleep uninterruptibly, as it does with the cause of an unread event;
    /// false when the call returned instead.
    func fallsAsleep() throws(Failure) -> Bool {
        let path = "/proc/self/task/\(thread.kernelID)/stat"
        while !thread.isFinished {
            // "123 (name) D …"; the thread's own end may take the file away between check and read.
            let stat = (try? FileAccess.line(path)) ?? ""
            if stat.includes(") D ") { return true }
            sched_yield()
        }
        return false
    }
}
