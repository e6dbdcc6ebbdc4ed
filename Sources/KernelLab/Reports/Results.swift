// SPDX-License-Identifier: GPL-2.0-only

import Foundation
import SystemPackage

/// What was tested, as far as the machine does not say so itself.
public struct ResultsContext: Sendable, Hashable, Codable {
    /// The base the kernel was built from ("v7.2"), a tree's path, or the image that the user brought.
    public var base: String
    /// The series that was applied ("v7.2, 3 patches"); nil for a kernel as it came.
    public var series: String?
    /// The machine's name ("x86_64").
    public var machine: String
    /// The `rwp` command that ran, word by word.
    public var command: [String]

    /// Makes a value.
    public init(base: String, series: String?, machine: String, command: [String]) {
        self.base = base
        self.series = series
        self.machine = machine
        self.command = command
    }
}

/// A run's results: what the report files say, and what `results.json` holds.
///
/// `results.json` is this value as JSON, with these keys:
///
/// - `schema`: the number 1. A reader must refuse a number that it does not know; keys may be added without a new one.
/// - `context`: `base`, `series` (absent for a kernel as it came), `machine`, `command`.
/// - `started`: when QEMU was started, ISO 8601 in UTC. `bootMilliseconds` (absent where no result came) and
///   `totalMilliseconds`: to the first line of results, and to QEMU's end.
/// - `kernelRelease`, `kernelCommandLine`, `accelerator` (`kvm`, `tcg`), `qemuVersion`, `qemuCommand`, `notes`.
/// - `end`: how the machine ended, an object with one key: `finished`, `panicked`, `hung`, `endedEarly`, `qemuDied`.
/// - `lastConsoleLines`: the end of `console.log`.
/// - `suite`: `planned`, `isComplete`, `bailOut`, `running`, `diagnostics`, `protocolErrors` (`kind`, `line`, `message`) and
///   `scenarios`, each with `number`, `name`, `verdict` (`passed`, `failed`, `skipped`, `expected`), `reason`,
///   `diagnostics`, `durationMilliseconds`, `rules`, `traps`, `failures` (`location`, `message`), `difference` (`rule`,
///   `what`, `since`: why it must fail on this kernel) and `subtests`. Keys without a value are absent.
public struct Results: Sendable, Hashable, Codable {
    /// The version of the layout of `results.json` that this code writes and reads.
    public static let schemaVersion = 1

    /// The version of the layout that the value was read from.
    public var schema = Results.schemaVersion
    /// What was tested.
    public var context: ResultsContext
    /// The results, as far as they came.
    public var suite: SuiteResult
    /// How the machine ended.
    public var end: MachineEnd
    /// What ran the CPUs.
    public var accelerator: Accelerator
    /// QEMU's version.
    public var qemuVersion: String
    /// The QEMU command, word by word.
    public var qemuCommand: [String]
    /// `uname -r` of the kernel; nil where it never said.
    public var kernelRelease: String?
    /// The kernel's command line.
    public var kernelCommandLine: String
    /// What the user should know of how it went.
    public var notes: [String]
    /// The end of the console.
    public var lastConsoleLines: [String]
    /// When QEMU was started.
    public var started: Date
    /// From QEMU's start to the first line of results, in milliseconds.
    public var bootMilliseconds: Int?
    /// From QEMU's start to its end, in milliseconds.
    public var totalMilliseconds: Int

    /// Where the machine's streams were kept while it ran; nil for results that were read back.
    var streams: Streams?

    struct Streams: Sendable, Hashable {
        var console: FilePath
        var ktap: FilePath
    }

    private enum CodingKeys: String, CodingKey {
        case schema, context, suite, end, accelerator, qemuVersion, qemuCommand, kernelRelease, kernelCommandLine, notes
        case lastConsoleLines, started, bootMilliseconds, totalMilliseconds
    }

    /// The results of a run.
    public init(run: MachineRun, context: ResultsContext) {
        self.context = context
        suite = run.suite
        end = run.end
        accelerator = run.accelerator
        qemuVersion = run.qemuVersion
        qemuCommand = run.qemuCommand
        kernelRelease = run.kernelRelease
        kernelCommandLine = run.kernelCommandLine
        notes = run.notes
        lastConsoleLines = run.lastConsoleLines
        // Whole seconds are what ISO 8601 in results.json keeps.
        started = Date(timeIntervalSince1970: run.started.timeIntervalSince1970.rounded(.down))
        bootMilliseconds = run.bootTime.map(Self.milliseconds)
        totalMilliseconds = Self.milliseconds(run.totalTime)
        streams = Streams(console: run.consoleLog, ktap: run.ktapLog)
    }

    /// What `rwp` ends with.
    ///
    /// A machine that died, a guest that bailed out and a stream that breaks the protocol come before a failed scenario:
    /// then the scenarios that follow have no verdict, and "one failed" would be less than the truth.
    public var exitStatus: ExitStatus {
        if end != .finished || suite.bailOut != nil || !suite.protocolErrors.isEmpty || !suite.isComplete {
            return .machineDied
        }
        return suite.count(.failed) > 0 ? .scenarioFailed : .passed
    }

    /// What went wrong beyond the scenarios, one sentence each.
    public var troubles: [String] {
        var troubles = end == .finished ? [] : [end.description]
        if let bailOut = suite.bailOut { troubles.append("the guest gave up: \(bailOut)") }
        return troubles + suite.protocolErrors.map(\.description)
    }

    private static func milliseconds(_ duration: Duration) -> Int {
        Int(duration.components.seconds) * 1000 + Int(duration.components.attoseconds / 1_000_000_000_000_000)
    }
}
