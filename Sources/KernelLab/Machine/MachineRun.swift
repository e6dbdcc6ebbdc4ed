// SPDX-License-Identifier: GPL-2.0-only

import Foundation
import SystemPackage

/// How a machine's run ended.
public enum MachineEnd: Sendable, Hashable, Codable, CustomStringConvertible {
    /// Where a machine was when it stopped answering.
    public enum Phase: Sendable, Hashable, Codable {
        /// Before the first line of results.
        case boot
        /// While this scenario ran; nil between two.
        case scenarios(running: String?)
        /// After the last result.
        case powerOff
    }

    /// The guest said all that it had to say and powered off.
    case finished
    /// The kernel panicked, with these words, while this scenario ran.
    case panicked(reason: String, running: String?)
    /// Nothing came for too long, and QEMU was killed.
    case hung(Phase, afterSeconds: Int)
    /// The machine powered off or reset before the results were complete.
    case endedEarly(running: String?)
    /// QEMU itself failed or was killed; `how` follows its name, `messages` is what it printed.
    case qemuDied(how: String, messages: [String], running: String?)

    /// The machine did what it should, or it died.
    public var exitStatus: ExitStatus { self == .finished ? .passed : .machineDied }

    /// One sentence, which names the scenario that ran; "" of a machine that finished.
    public var description: String {
        switch self {
        case .finished:
            return ""
        case .panicked(let reason, let running):
            return "the kernel panicked\(Self.during(running)): \(reason)"
        case .hung(.boot, let seconds):
            return "the machine hung before its first result: nothing came in \(seconds) s from QEMU's start"
        case .hung(.scenarios(let running), let seconds):
            return "the machine hung\(Self.during(running)): no line of results in \(seconds) s"
        case .hung(.powerOff, let seconds):
            return "the machine hung at power-off: all results came, and QEMU still ran \(seconds) s later"
        case .endedEarly(let running):
            return "the machine powered off or reset\(Self.during(running)), before the results were complete"
        case .qemuDied(let how, let messages, let running):
            let said = messages.isEmpty ? "" : "; it said: \(messages.joined(separator: "; "))"
            return "QEMU \(how)\(Self.during(running))\(said)"
        }
    }

    private static func during(_ running: String?) -> String {
        running.map { " while \($0) was running" } ?? ""
    }
}

/// What a machine's run came to.
public struct MachineRun: Sendable, Hashable {
    /// The results, as far as they came.
    public var suite: SuiteResult
    /// How it ended.
    public var end: MachineEnd
    /// What ran the CPUs in the end.
    public var accelerator: Accelerator
    /// QEMU's version, "7.2.22".
    public var qemuVersion: String
    /// The QEMU command, word by word.
    public var qemuCommand: [String]
    /// The kernel's command line.
    public var kernelCommandLine: String
    /// `uname -r`, as the kernel's banner on the console says; nil where none came.
    public var kernelRelease: String?
    /// All that the kernel printed, byte for byte.
    public var consoleLog: FilePath
    /// The KTAP stream, byte for byte.
    public var ktapLog: FilePath
    /// The end of the console, for messages.
    public var lastConsoleLines: [String]
    /// What the user should know of how it went (an accelerator that did not work).
    public var notes: [String]
    /// When QEMU was started.
    public var started: Date
    /// From QEMU's start to the first line of results; nil where none came.
    public var bootTime: Duration?
    /// From QEMU's start to its end.
    public var totalTime: Duration

    /// Makes a value.
    public init(
        suite: SuiteResult,
        end: MachineEnd,
        accelerator: Accelerator,
        qemuVersion: String,
        qemuCommand: [String],
        kernelCommandLine: String,
        kernelRelease: String?,
        consoleLog: FilePath,
        ktapLog: FilePath,
        lastConsoleLines: [String],
        notes: [String] = [],
        started: Date,
        bootTime: Duration?,
        totalTime: Duration
    ) {
        self.suite = suite
        self.end = end
        self.accelerator = accelerator
        self.qemuVersion = qemuVersion
        self.qemuCommand = qemuCommand
        self.kernelCommandLine = kernelCommandLine
        self.kernelRelease = kernelRelease
        self.consoleLog = consoleLog
        self.ktapLog = ktapLog
        self.lastConsoleLines = lastConsoleLines
        self.notes = notes
        self.started = started
        self.bootTime = bootTime
        self.totalTime = totalTime
    }
}
