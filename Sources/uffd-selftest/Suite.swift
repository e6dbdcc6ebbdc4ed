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
    private let settings = GlobalSettings()
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

    /// Runs everything and writes what comes after the stream's first line; true where nothing failed.
    func run() throws(Failure) -> Bool {
        let supervisor = try Supervisor(output: output, arguments)
        // On a machine of its own the kernel's log of the boot, and of what comes after the last scenario, are judged
        // too.
        let judgesMachine = requirements.isOwnMachine && log != nil
        let count = selection.instances.count + (judgesMachine ? 2 : 0)
        Header.write(to: output, requirements, notes: notes)
        output.line(KTAP.plan(arguments.sabotage == .wrongPlan ? count + 1 : count))

        var totals = Totals(output, cut: arguments.sabotage == .cutStream)
        if judgesMachine { judgeLog("kernel-log-boot", &totals) }
        for instance in selection.instances {
            output.line(KTAP.running(instance.name))
            totals.add(instance.name, try verdict(of: instance, supervisor))
        }
        if judgesMachine { judgeLog("kernel-log-end", &totals) }
        totals.write()
        return totals.failed == 0
    }

    /// Runs an instance, if it can run here, and writes what there is to say before its result line.
    private func verdict(of instance: Instance, _ supervisor: Supervisor) throws(Failure) -> Verdict {
        let rules = instance.scenario.rules.text
        if !rules.utf8.isEmpty { output.line(KTAP.note("rules: \(rules)")) }
        if let reason = requirements.reasonToSkip(instance) { return .skipped(reason: reason) }

        let start = Clock.milliseconds
        let run = try runRepeatedly(instance, supervisor)
        if instance.scenario.traps { output.line(KTAP.note("traps: \(run.traps)")) }
        output.line(KTAP.note("duration_ms: \(Clock.milliseconds - start)"))
        for failure in run.failures { output.line(KTAP.failure(failure)) }
        guard run.failures.isEmpty else { return .failed }
        return run.skipReason.map { .skipped(reason: $0) } ?? .passed
    }

    /// Runs an instance as often as asked, until it fails; all of its runs count as one.
    private func runRepeatedly(_ instance: Instance, _ supervisor: Supervisor) throws(Failure) -> Supervisor.Run {
        var sum = Supervisor.Run()
        for round in 1...arguments.repeats {
            if requirements.isOwnMachine { log?.mark(instance.name) }
            // A program may leave another number of them reserved.
            let before = requirements.isOwnMachine && instance.program == nil ? HugePages.free : nil
            let run = try supervisor.run(instance)
            sum.traps += run.traps
            sum.skipReason = run.skipReason
            sum.failures = run.failures + checkLog()
            if let before { sum.failures += HugePages.leaks(since: before) }
            if requirements.isOwnMachine { try settings.restore() }
            if sum.failures.isEmpty { continue }
            if arguments.repeats > 1 { output.line(KTAP.note("failed in run \(round) of \(arguments.repeats)")) }
            break
        }
        return sum
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
