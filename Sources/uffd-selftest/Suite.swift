// SPDX-License-Identifier: GPL-2.0-only

import CUserfaultfd
import Scenarios
import Userfaultfd

/// Runs a selection, instance after instance, and writes the KTAP stream.
struct Suite {
    private let selection: Selection
    private let arguments: Arguments
    private let output: Output
    private let requirements: Requirements
    private let log: KernelLog?
    private let notes: [String]

    /// Prepares a run; `isOwnMachine` where nothing on this machine matters but the suite, `notes` tell what it lacks.
    init(
        _ selection: Selection,
        _ arguments: Arguments,
        output: Output,
        isOwnMachine: Bool,
        notes: [String] = []
    ) {
        self.selection = selection
        self.arguments = arguments
        self.output = output
        requirements = Requirements(isOwnMachine: isOwnMachine)
        do throws(Failure) {
            log = try KernelLog(fromBoot: isOwnMachine)
            self.notes = notes
        } catch {
            log = nil
            self.notes = notes + ["the kernel's log is not watched: \(error.message)"]
        }
    }

    /// Runs everything; true where nothing failed.
    func run() throws(Failure) -> Bool {
        let supervisor = try Supervisor(output: output, timeoutScale: arguments.timeoutScale)
        // On a machine of its own the kernel's log of the boot, and of what comes after the last scenario, are judged
        // too.
        let judgesMachine = requirements.isOwnMachine && log != nil
        let count = selection.instances.count + (judgesMachine ? 2 : 0)
        output.line(KTAP.version)
        Header.write(to: output, requirements, notes: notes)
        output.line(KTAP.plan(arguments.sabotage == .wrongPlan ? count + 1 : count))

        var totals = Totals(output, cut: arguments.sabotage == .cutStream)
        if judgesMachine { judgeLog("kernel-log-boot", &totals) }
        for instance in selection.instances {
            output.line(KTAP.running(instance.name))
            if let reason = requirements.reasonToSkip(instance) {
                totals.add(instance.name, .skipped(reason: reason))
                continue
            }
            log?.mark(instance.name)
            let failures = try runAll(instance, supervisor)
            totals.add(instance.name, failures.isEmpty ? .passed : .failed)
        }
        if judgesMachine { judgeLog("kernel-log-end", &totals) }
        totals.write()
        return totals.failed == 0
    }

    /// Runs an instance as often as asked, until it fails.
    private func runAll(_ instance: Instance, _ supervisor: Supervisor) throws(Failure) -> [RunFailure] {
        let start = Clock.milliseconds
        var traps = 0
        var failures: [RunFailure] = []
        for round in 1...arguments.repeats {
            let run = try supervisor.run(instance)
            traps += run.traps
            failures = run.failures + checkLog()
            if failures.isEmpty { continue }
            if arguments.repeats > 1 { output.line(KTAP.note("failed in run \(round) of \(arguments.repeats)")) }
            break
        }
        let rules = instance.scenario.rules.text
        if !rules.utf8.isEmpty { output.line(KTAP.note("rules: \(rules)")) }
        output.line(KTAP.note("traps: \(traps)"))
        output.line(KTAP.note("duration_ms: \(Clock.milliseconds - start)"))
        for failure in failures { output.line(KTAP.failure(failure)) }
        return failures
    }

    private func judgeLog(_ name: String, _ totals: inout Totals) {
        output.line(KTAP.running(name))
        let failures = checkLog()
        for failure in failures { output.line(KTAP.failure(failure)) }
        totals.add(name, failures.isEmpty ? .passed : .failed)
    }

    /// What the kernel complained about since the last call; the lines of its log are written at once.
    private func checkLog() -> [RunFailure] {
        guard let log else { return [] }
        let finding = log.check()
        for line in finding.lines { output.line(KTAP.kernel(line)) }
        return finding.failures
    }
}

/// The counts of a run, and the result lines that make them.
struct Totals {
    private let output: Output
    private let cut: Bool
    private var passed = 0
    private(set) var failed = 0
    private var skipped = 0

    /// Begins to count; `cut` ends the process's stream in the middle of the first result line.
    init(_ output: Output, cut: Bool) {
        self.output = output
        self.cut = cut
    }

    /// Writes a result line and counts it.
    mutating func add(_ name: String, _ verdict: Verdict) {
        let line = KTAP.result(passed + failed + skipped + 1, name, verdict)
        if cut {
            output.write(String(decoding: Array(line.utf8.dropLast(4)), as: UTF8.self))
            _exit(Command.unusable)
        }
        output.line(line)
        switch verdict {
        case .passed: passed += 1
        case .failed: failed += 1
        case .skipped: skipped += 1
        }
    }

    /// Writes the last line.
    func write() {
        output.line(KTAP.totals(passed: passed, failed: failed, skipped: skipped))
    }
}
