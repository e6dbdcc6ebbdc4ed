// SPDX-License-Identifier: GPL-2.0-only

import Userfaultfd

/// A program that runs like a scenario: one of the kernel's selftests, which the host built.
///
/// It tells by its exit status how it went, as `tools/testing/selftests/kselftest.h` has it.
public struct Program: Sendable {
    /// The name of its result, "mm:cow".
    public let name: String
    /// The watchdog's limit in seconds, before scaling.
    public let seconds: Int
    /// Its file; it is started in that file's folder, as kselftest's runner does.
    public let path: String
    /// What stands behind its name.
    public let arguments: [String]

    /// Parses a line of a list: name, seconds, path and arguments, with a tab between them.
    public init(line: String) throws(Failure) {
        let fields = line.parts(separatedBy: 0x09)
        guard fields.count >= 3, let seconds = fields[1].number, seconds > 0, fields[2].begins(with: "/") else {
            throw Failure("not a line of a list of programs (name, seconds, path, arguments): '\(line)'")
        }
        (name, self.seconds, path) = (fields[0], seconds, fields[2])
        arguments = Array(fields.dropFirst(3))
    }

    /// The programs that a file lists, a line each.
    public static func list(_ file: String) throws(Failure) -> [Program] {
        var programs: [Program] = []
        for line in try FileAccess.lines(file) where !line.utf8.isEmpty { programs.append(try Program(line: line)) }
        if programs.isEmpty { throw Failure("\(file) lists no program") }
        return programs
    }

    /// The folder of the file.
    public var folder: String {
        let bytes = Array(path.utf8)
        let slash = bytes.lastIndex(of: UInt8(ascii: "/")) ?? 0
        return slash == 0 ? "/" : String(decoding: Array(bytes[..<slash]), as: UTF8.self)
    }

    /// What an exit status says.
    public enum Outcome: Sendable, Equatable {
        /// KSFT_PASS.
        case passed
        /// KSFT_SKIP, and KSFT_XFAIL, which kselftest's runner does not count as failed either.
        case skipped(StaticString)
        /// Any other.
        case failed

        /// Whether two outcomes are of one kind.
        public static func == (left: Outcome, right: Outcome) -> Bool {
            switch (left, right) {
            case (.passed, .passed), (.failed, .failed), (.skipped, .skipped): true
            default: false
            }
        }
    }

    /// Reads an exit status.
    public static func outcome(ofStatus status: Int32) -> Outcome {
        switch status {
        case 0: .passed
        case 2: .skipped("XFAIL: exit status 2")
        case 4: .skipped("exit status 4")
        default: .failed
        }
    }
}
