// SPDX-License-Identifier: GPL-2.0-only

import CUserfaultfd
import Userfaultfd

/// Who waits for an answer from a userfaultfd, as its /proc/PID/fdinfo tells (`userfaultfd_show_fdinfo`).
extension Userfaultfd {
    /// The page faults that are blocked: `pending` are those whose message nobody has read, `total` all of them.
    func waiters(process: Int32? = nil) throws(Failure) -> (pending: Int, total: Int) {
        let owner = process.map { "\($0)" } ?? "self"
        var found = (pending: -1, total: -1)
        for line in try FileAccess.lines("/proc/\(owner)/fdinfo/\(descriptor)") {
            let words = line.words
            guard words.count == 2, let count = words[1].number else { continue }
            if words[0].isSame(as: "pending:") { found.pending = count }
            if words[0].isSame(as: "total:") { found.total = count }
        }
        if found.pending < 0 || found.total < 0 { throw Failure("fdinfo of a userfaultfd tells no pending and total") }
        return found
    }

    /// Blocks until so many faults wait whose messages nobody has read.
    func waitForPending(_ count: Int, process: Int32? = nil) throws(Failure) {
        while try waiters(process: process).pending < count { sched_yield() }
    }
}

/// Filling pages with the pattern that `Memory.check` expects.
extension Userfaultfd {
    /// Resolves a page by `UFFDIO_COPY` of its pattern.
    @inline(never)
    func copyPattern(_ memory: Memory, _ page: Int, seed: UInt64 = 1, _ mode: FillMode = []) throws(Failure) {
        let source = try memory.pattern(of: page, seed: seed)
        try copy(to: memory.page(page), from: source.range.start, mode)
        try source.unmap()
    }
}

extension Context {
    /// Fails unless the next message is a page fault with this address and these flags; counts it as the trap.
    func expectFault(
        _ uffd: Userfaultfd,
        at address: UInt,
        _ flags: FaultFlags,
        file: StaticString = #fileID,
        line: UInt = #line
    ) throws(Failure) {
        let message = try uffd.next()
        guard case .pageFault(address, flags, _) = message else {
            throw Failure(
                "\(file):\(line): expected a page fault at \(hex(address)), flags \(flags.rawValue), got: "
                    + message.description
            )
        }
        sawTrap()
    }

    /// Fails if there is a message. Call it when the accesses that might have sent one are over.
    func expectNoMessage(
        _ uffd: Userfaultfd,
        _ when: @autoclosure () -> String,
        file: StaticString = #fileID,
        line: UInt = #line
    ) throws(Failure) {
        if let message = try uffd.poll() {
            throw Failure("\(file):\(line): \(when()): unexpected \(message.description)")
        }
    }

    /// Fails unless so many faults are blocked on the userfaultfd.
    func expectWaiters(
        _ uffd: Userfaultfd,
        _ expected: Int,
        _ when: @autoclosure () -> String,
        file: StaticString = #fileID,
        line: UInt = #line
    ) throws(Failure) {
        try expectEqual(uffd.waiters().total, expected, "blocked faults \(when())", file: file, line: line)
    }

    /// Fails unless so many faults are blocked, and the messages of all of them are read. A thread that is woken leaves
    /// the queue at once, and may come back to it with a message: so it shows that nobody was woken.
    func expectAsleep(
        _ uffd: Userfaultfd,
        _ expected: Int,
        file: StaticString = #fileID,
        line: UInt = #line
    ) throws(Failure) {
        let waiters = try uffd.waiters()
        try expect(
            waiters == (0, expected),
            "\(waiters.total) wait, \(waiters.pending) of them with a new message",
            file: file,
            line: line
        )
    }
}
