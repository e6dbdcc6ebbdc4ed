// SPDX-License-Identifier: GPL-2.0-only

import SystemPackage

/// How a program ended.
public enum ToolStatus: Sendable, Hashable, CustomStringConvertible {
    /// It exited with this status.
    case exited(Int32)
    /// This signal ended it (signal(7)).
    case signaled(Int32)

    /// Whether it exited with status 0.
    public var isSuccess: Bool { self == .exited(0) }

    /// How it ended, to follow the program's name.
    public var description: String {
        switch self {
        case .exited(let status): "exited with status \(status)"
        case .signaled(let signal): "was ended by signal \(signal)"
        }
    }
}

/// What can go wrong when running a program.
public enum ToolError: LabError, Hashable {
    /// The program is nowhere on PATH.
    case missing(program: String)
    /// The program is there and could not be started.
    case notStarted(command: String, reason: String)
    /// It ended other than with status 0; `lastLines` is the end of what it printed, `log` where all of it is.
    case failed(command: String, status: ToolStatus, lastLines: [String], log: FilePath?)
    /// It printed more than the `limit` bytes that its reader is prepared for.
    case tooMuchOutput(command: String, limit: Int)
    /// Its log could not be written.
    case logNotWritten(log: FilePath, error: Errno)

    /// The machine lacks the program, or the program lacks something of the machine; a caller that knows better maps it.
    public var exitStatus: ExitStatus { .environment }

    /// What happened, with the command line.
    public var description: String {
        switch self {
        case .missing(let program):
            return Self.missing(program: program, package: Programs.package(of: program))
        case .notStarted(let command, let reason):
            return "could not start “\(command)”: \(reason)"
        case .failed(let command, let status, let lastLines, let log):
            var text = "“\(command)” \(status)"
            if !lastLines.isEmpty {
                text += "; its last lines:\n" + lastLines.map { "    " + $0 }.joined(separator: "\n")
            }
            if let log { text += "\nEverything that it printed is in \(log)." }
            return text
        case .tooMuchOutput(let command, let limit):
            return "“\(command)” printed more than \(limit) bytes, which its reader does not expect"
        case .logNotWritten(let log, let error):
            return "could not write the log \(log): \(error)"
        }
    }

    private static func missing(program: String, package: String?) -> String {
        guard let package else { return "\(program) is not on PATH: install it" }
        // Not everything comes as a package: the Swift toolchain does not.
        guard !package.contains(" ") else { return "\(program) is not on PATH: install \(package)" }
        return
            "\(program) is not on PATH: install Debian's package \(package) (scripts/setup installs all that is needed)"
    }
}
