// SPDX-License-Identifier: GPL-2.0-only

import Userfaultfd

/// What a scenario's process tells the runner, a line each: `note TEXT`, `fail TEXT`, `skip REASON` and, at its
/// end, `done TRAPS`.
public struct ChildReport: Sendable {
    /// What did not hold.
    public private(set) var failures: [String] = []
    /// How many traps it saw.
    public private(set) var traps = 0
    /// Whether the scenario came to its end, well or not.
    public private(set) var isDone = false
    /// Why it did not run; nil where it did.
    public private(set) var skipReason: String?
    private let lineLimit: Int
    private var shownLines = 0

    /// How many lines of a scenario are shown.
    public static let lineLimit = 200
    /// How many lines of a program are shown: each may be the verdict of a test.
    public static let programLineLimit = 20_000

    /// Makes an empty report that shows so many lines.
    public init(lineLimit: Int = lineLimit) {
        self.lineLimit = lineLimit
    }

    /// The line for a note.
    public static func note(_ text: String) -> String { "note \(oneLine(text))" }
    /// The line for a failure.
    public static func failure(_ text: String) -> String { "fail \(oneLine(text))" }
    /// The line for what a program says that it did not run for.
    public static func skip(_ text: String) -> String { "skip \(oneLine(text))" }
    /// The last line.
    public static func done(traps: UInt64) -> String { "done \(traps)" }

    /// The text as a line that fits into one write to a pipe (PIPE_BUF), so that threads do not mix theirs, and that
    /// `KTAP.printable` leaves as it is.
    private static func oneLine(_ text: String) -> String {
        KTAP.printable(text, limit: KTAP.limit - 50)
    }

    /// Takes a line; returns the text of a note, and a line that is none of ours.
    public mutating func take(_ line: String) -> String? {
        if let text = line.rest(after: "note ") { return text }
        if let text = line.rest(after: "fail ") {
            failures.append(text)
        } else if let text = line.rest(after: "skip ") {
            skipReason = text
        } else if let count = line.rest(after: "done ")?.number {
            traps = count
            isDone = true
        } else {
            return line
        }
        return nil
    }

    /// What becomes of a line that the scenario wrote.
    public enum LineFate: Sendable {
        /// It is shown.
        case shown
        /// It is the first one too many.
        case last
        /// It is dropped.
        case dropped
    }

    /// Counts a line of the scenario's.
    public mutating func countLine() -> LineFate {
        shownLines += 1
        if shownLines <= lineLimit { return .shown }
        return shownLines == lineLimit + 1 ? .last : .dropped
    }
}
