// SPDX-License-Identifier: GPL-2.0-only

import Userfaultfd

/// One record of /dev/kmsg (`Documentation/ABI/testing/dev-kmsg`).
public struct KernelRecord: Sendable {
    /// syslog(3)'s facility; 0 is the kernel itself, and nobody else can write that.
    public let facility: Int
    /// syslog(3)'s level, 0 (emergency) to 7 (debug).
    public let level: Int
    /// The record's number since boot.
    public let sequence: Int
    /// The message, without the dictionary that may follow it.
    public let text: String

    /// Parses "6,1234,5678901,-;text" with what follows on more lines; nil for what is not a record.
    public init?(_ bytes: some Collection<UInt8>) {
        let bytes = Array(bytes)
        guard let semicolon = bytes.firstIndex(of: UInt8(ascii: ";")) else { return nil }
        let fields = String(decoding: bytes[..<semicolon], as: UTF8.self).parts(separatedBy: UInt8(ascii: ","))
        guard fields.count >= 4, let priority = fields[0].number, let sequence = fields[1].number else { return nil }
        let message = bytes[(semicolon + 1)...]
        let end = message.firstIndex(of: UInt8(ascii: "\n")) ?? message.endIndex
        facility = priority >> 3
        level = priority & 7
        self.sequence = sequence
        text = String(decoding: message[..<end], as: UTF8.self)
    }

    /// Whether the kernel reports a fault of its own with this line: a warning, an oops, a finding of a sanitizer or of
    /// lockdep, a stall, a corruption.
    public var isSplat: Bool {
        // What is indented is a frame of a stack or the like: it names functions, whoever had it printed.
        guard facility == 0, !text.begins(with: " ") else { return false }
        for start in KernelRecord.starts where text.begins(with: start.text) { return true }
        for part in KernelRecord.parts where text.includes(part.text) { return true }
        return false
    }

    /// Whether the report of a fault ends with this line, as those of the kernel's WARN and BUG do.
    public var endsSplat: Bool { text.begins(with: "---[ end trace") }

    private static let starts: [StaticString] = [
        "WARNING: ", "BUG: ", "Oops", "INFO: task ", "INFO: possible ",
        "INFO: trying to register non-static key", "UBSAN: ", "Kernel panic", "general protection fault",
        "Internal error: ", "Unable to handle kernel",
        "Bad swap", "ODEBUG: ", "refcount_t: ",
    ]

    private static let parts: [StaticString] = [
        "kernel BUG at", "BUG: KASAN", "BUG: KFENCE", "BUG: soft lockup", "BUG: workqueue lockup", "hard LOCKUP",
        "KASAN: ", "detected stall", "detected expedited stalls", "self-detected stall", "Bad page", "bad page",
        "Bad rss-counter", "list_add corruption", "list_del corruption", "suspicious RCU usage",
        "new suspected memory leaks", ": Bad swap ", "unable to handle page fault", "NULL pointer dereference",
    ]
}
