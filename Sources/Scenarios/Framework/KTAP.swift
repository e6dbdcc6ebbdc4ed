// SPDX-License-Identifier: GPL-2.0-only

import Userfaultfd

/// The lines of a KTAP stream (`Documentation/dev-tools/ktap.rst`), without their ends.
///
/// What a scenario wrote stands behind two more blanks than what the runner says, so that no text of a scenario can be
/// taken for a line with a meaning (`# running`, `# FAIL`, `# Totals`).
public enum KTAP {
    /// The first line.
    public static let version = "KTAP version 1"

    /// How many results will come.
    public static func plan(_ count: Int) -> String { "1..\(count)" }

    /// A line of the runner's, such as `# duration_ms: 12`.
    public static func note(_ text: String) -> String { "# " + printable(text) }

    /// Tells which scenario starts.
    public static func running(_ name: String) -> String { "# running \(name)" }

    /// A line that the scenario wrote.
    public static func output(_ text: String) -> String { "#   " + printable(text) }

    /// A line of the kernel's log that belongs to a failure.
    public static func kernel(_ text: String) -> String { "#   kernel: " + printable(text) }

    /// Something that did not hold: `# FAIL place: message`.
    public static func failure(_ failure: RunFailure) -> String {
        "# FAIL \(printable(failure.place)): \(printable(failure.message))"
    }

    /// A result line.
    public static func result(_ number: Int, _ name: String, _ verdict: Verdict) -> String {
        switch verdict {
        case .passed: "ok \(number) \(name)"
        case .failed: "not ok \(number) \(name)"
        case .skipped(let reason): "ok \(number) \(name) # SKIP \(printable(reason))"
        }
    }

    /// The counts at the end.
    public static func totals(passed: Int, failed: Int, skipped: Int) -> String {
        "# Totals: pass:\(passed) fail:\(failed) skip:\(skipped)"
    }

    /// The line after which nothing more comes.
    public static func bailOut(_ reason: String) -> String { "Bail out! " + printable(reason) }

    /// The longest text, in bytes, that a line takes; of a longer one the beginning is shown.
    public static let limit = 1000

    /// The text on one line: printable ASCII stays, a tab is a blank, any other byte is `\xNN`; cut at `limit` bytes.
    public static func printable(_ text: String, limit: Int = limit) -> String {
        var bytes: [UInt8] = []
        for byte in text.utf8 {
            if bytes.count >= limit {
                return String(decoding: bytes, as: UTF8.self) + " [cut: \(text.utf8.count) bytes]"
            }
            switch byte {
            case 0x20...0x7E: bytes.append(byte)
            case 0x09: bytes.append(0x20)
            default: bytes += Array("\\x".utf8) + [digit(byte >> 4), digit(byte & 15)]
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    private static func digit(_ value: UInt8) -> UInt8 {
        value < 10 ? 0x30 + value : 0x61 + value - 10
    }
}

/// What became of an instance.
public enum Verdict: Sendable, Equatable {
    /// Its promise held.
    case passed
    /// It did not, or the runner had to end it; `RunFailure`s tell how.
    case failed
    /// It could not run here, for this reason.
    case skipped(reason: String)

    /// Whether two verdicts are the same.
    public static func == (left: Verdict, right: Verdict) -> Bool {
        switch (left, right) {
        case (.passed, .passed), (.failed, .failed): true
        case (.skipped(let one), .skipped(let other)): one.isSame(as: other)
        default: false
        }
    }
}

/// One reason why an instance failed.
public struct RunFailure: Sendable {
    /// Where: "Scenarios/WriteProtect.swift:42", or the part of the runner that found it ("watchdog", "kernel-log").
    public let place: String
    /// What happened.
    public let message: String

    /// Makes a failure that the runner found.
    public init(_ place: String, _ message: String) {
        self.place = place
        self.message = message
    }

    /// Makes a failure of a scenario's message: "file.swift:42: message", or any text, whose place is `otherwise`.
    public init(message: String, otherwise: String) {
        let bytes = Array(message.utf8)
        for colon in bytes.indices.dropLast() where bytes[colon] == 0x3A && bytes[colon + 1] == 0x20 {
            let place = String(decoding: bytes[..<colon], as: UTF8.self)
            guard place.includes(".swift:"), place.words.count == 1 else { break }
            self.init(place, String(decoding: bytes[(colon + 2)...], as: UTF8.self))
            return
        }
        self.init(otherwise, message)
    }
}
