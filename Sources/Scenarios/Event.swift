// SPDX-License-Identifier: GPL-2.0-only

import CUserfaultfd
import Userfaultfd

/// Events of a process that does not know of its monitor: fork, remap, remove, unmap (userfaultfd(2)).
enum Event {
    static let scenarios: [Scenario] = forkScenarios + remapScenarios + removeScenarios + waitScenarios

    /// The next message, which must be this event; counts it as the trap.
    static func expect(
        _ context: Context,
        _ uffd: Userfaultfd,
        _ expected: Message,
        file: StaticString = #fileID,
        line: UInt = #line
    ) throws(Failure) {
        let message = try uffd.next()
        try context.expect(
            message == expected,
            "expected \(expected.description), got \(message.description)",
            file: file,
            line: line
        )
        context.sawTrap()
    }

    /// Shows that a page of the memory traps for MISSING, and resolves it.
    static func expectMissing(
        _ context: Context,
        _ uffd: Userfaultfd,
        _ memory: Memory,
        _ page: Int,
        seed: UInt64 = 1
    ) throws(Failure) {
        let reader = try Access.read(memory, page)
        try context.expectFault(uffd, at: memory.address(page), [])
        try uffd.copyPattern(memory, page, seed: seed)
        try reader.finish()
        try memory.check(page..<(page + 1), seed: seed, "after COPY")
    }

    /// Waits until a call sleeps on an event that nobody has read, and fails if it did not wait for that.
    static func expectBlocked(
        _ context: Context,
        _ call: BlockingCall,
        _ uffd: Userfaultfd,
        file: StaticString = #fileID,
        line: UInt = #line
    ) throws(Failure) {
        let revents = try waitReadable(uffd.descriptor, milliseconds: -1)
        try context.expectEqual(revents, POLLIN, "revents with an unread event", file: file, line: line)
        let asleep = try call.fallsAsleep()
        try context.expect(asleep, "the call returned before its event was read", file: file, line: line)
    }
}
