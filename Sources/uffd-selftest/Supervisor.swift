// SPDX-License-Identifier: GPL-2.0-only

import CUserfaultfd
import Scenarios
import Userfaultfd

/// Runs instances, each in a process of its own, and ends what does not end by itself.
final class Supervisor {
    /// What one run of an instance came to.
    struct Run {
        /// How many traps the scenario saw.
        var traps = 0
        /// Why it failed; none: it passed.
        var failures: [RunFailure] = []
        /// Why it did not run, as a program says itself; nil where it ran.
        var skipReason: String?
    }

    /// How long after SIGKILL a process may take to go, in milliseconds before scaling.
    private static let killLimit = 10_000

    private let output: Output
    private let timeoutScale: Int
    private let load: Load
    private let endingSignals: Int32
    private var processes = Descendants()
    private var pace = Pace()

    /// Makes this process the one that orphans of scenarios come to, and the keeper of SIGINT and SIGTERM.
    init(output: Output, _ arguments: Arguments) throws(Failure) {
        self.output = output
        timeoutScale = arguments.timeoutScale
        load = arguments.load
        try checked("prctl PR_SET_CHILD_SUBREAPER", cuffd_prctl(PR_SET_CHILD_SUBREAPER, 1, 0))
        endingSignals = try checked("signalfd", cuffd_watch_ending_signals())
    }

    /// Runs an instance once.
    func run(_ instance: Instance) throws(Failure) -> Run {
        let process = try ScenarioProcess(instance, load, output)
        defer { process.close() }
        let start = Clock.milliseconds
        var run = Run()
        if try !wait(for: process, seconds: limit(instance)) {
            run.failures.append(end(process, after: (Clock.milliseconds - start) / 1000))
        }
        process.readRest()
        run.traps = process.report.traps
        run.skipReason = process.report.skipReason
        if run.failures.isEmpty { run.failures = process.verdict(instance) }
        let leaks = processes.endAll(limit: Supervisor.killLimit * timeoutScale)
        // A scenario that failed had no chance to end its children; that is no second failure. Nor is it one of a program,
        // which was not written to our rules.
        let countsLeaks = run.failures.isEmpty && instance.program == nil
        run.failures += leaks.filter { countsLeaks || $0.place.isSame(as: Descendants.unkillablePlace) }
        return run
    }

    /// Waits for the process to end; false when it took longer than it may, which is the more the slower the machine is.
    private func wait(for process: ScenarioProcess, seconds: Int) throws(Failure) -> Bool {
        let start = Clock.milliseconds
        var told = seconds * 1000
        var next = 1000
        pace.restart()
        while true {
            let gone = Clock.milliseconds - start
            if gone >= next {
                pace.sample()
                next = gone + 1000
            }
            if gone >= seconds * 10 * pace.percent { return false }
            if gone >= told {
                // Also for the host, to whom silence is a machine that hangs.
                output.line(KTAP.note("this machine takes \(pace.words): the limit is longer"))
                told += seconds * 1000
            }
            switch try process.wait(milliseconds: Int32(clamping: max(next - gone, 1)), orFor: endingSignals) {
            case .ended: return true
            case .interrupted: interrupt(process)
            case .nothing: continue
            }
        }
    }

    /// Waits for a killed process to go; false when it does not.
    private func waitKilled(_ process: ScenarioProcess) throws(Failure) -> Bool {
        try wait(for: process, seconds: Supervisor.killLimit * timeoutScale / 1000)
    }

    /// How many seconds an instance may take: as many as it says, and those of the load that was asked for.
    private func limit(_ instance: Instance) -> Int {
        (instance.scenario.seconds + (instance.scenario.isStress ? load.seconds : 0)) * timeoutScale
    }

    /// Kills a process whose time is over, after it was asked what it waits for.
    private func end(_ process: ScenarioProcess, after seconds: Int) -> RunFailure {
        for line in Stacks.lines(ofTree: process.identifier) { output.line(KTAP.output(line)) }
        process.kill()
        if (try? waitKilled(process)) ?? false {
            return RunFailure("watchdog", "not done after \(seconds) s: killed")
        }
        processes.giveUp(process.identifier)
        return RunFailure(
            "watchdog",
            "not done after \(seconds) s, and cannot be killed: process \(process.identifier)"
        )
    }

    /// Ends the run as a signal wants it: nothing is left behind.
    private func interrupt(_ process: ScenarioProcess) {
        let number = cuffd_next_signal(endingSignals)
        if number == 0 { return }
        process.kill()
        _ = processes.endAll(limit: Supervisor.killLimit * timeoutScale)
        output.line(KTAP.bailOut("\(signalName(number)) ended the run"))
        exit(128 + number)
    }
}
