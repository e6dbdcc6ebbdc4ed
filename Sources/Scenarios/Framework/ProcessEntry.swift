// SPDX-License-Identifier: GPL-2.0-only

import Userfaultfd

/// The beginning of a /proc/PID/stat line (proc(5)).
public struct ProcessEntry: Sendable {
    /// The process id.
    public let identifier: Int32
    /// The command's name, up to 15 bytes.
    public let command: String
    /// "R", "S", "D", "Z", "T" or another letter of proc(5).
    public let state: String
    /// The parent's process id.
    public let parent: Int32

    /// Parses "12 (a) b) S 1 12 12 …": the name may hold blanks and parentheses. Nil for what is not such a line.
    public init?(stat line: String) {
        let bytes = Array(line.utf8)
        guard let open = bytes.firstIndex(of: UInt8(ascii: "(")),
            let close = bytes.lastIndex(of: UInt8(ascii: ")")), open < close,
            let identifier = String(decoding: bytes[..<open], as: UTF8.self).words.first?.number
        else { return nil }
        let fields = String(decoding: bytes[(close + 1)...], as: UTF8.self).words
        guard fields.count >= 2, let parent = fields[1].number else { return nil }
        self.identifier = Int32(truncatingIfNeeded: identifier)
        command = String(decoding: bytes[(open + 1)..<close], as: UTF8.self)
        state = fields[0]
        self.parent = Int32(truncatingIfNeeded: parent)
    }

    /// Whether it still runs: a zombie or a dead one does not.
    public var isAlive: Bool { !state.isSame(as: "Z") && !state.isSame(as: "X") }

    /// "process 12 (sh), state S".
    public var words: String { "process \(identifier) (\(command)), state \(state)" }
}
