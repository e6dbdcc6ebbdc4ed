// SPDX-License-Identifier: GPL-2.0-only

import CUserfaultfd
import Scenarios
import Userfaultfd

/// One run of an instance: a child in a session of its own, and the pipes it tells by.
final class ScenarioProcess {
    /// The child's process id, which is its process group's too.
    let identifier: Int32
    /// What the child has told so far.
    private(set) var report: ChildReport
    private let pidfd: Int32
    private let records: LinePipe
    private let text: LinePipe
    private let output: Output
    private var end: Child.End?

    /// What a wait saw.
    enum Event {
        case ended, interrupted, nothing
    }

    /// Starts the child.
    init(_ instance: Instance, _ load: Load, _ output: Output) throws(Failure) {
        let records = try LinePipe()
        let text = try LinePipe()
        let parent = getpid()
        let child = try Child {
            ScenarioProcess.becomeChild(of: parent, text: text.writeEnd)
            let records = Output(descriptor: records.writeEnd)
            guard let program = instance.program else { return ScenarioProcess.runBody(instance, load, records) }
            return ProgramProcess.run(program, records)
        }
        records.closeWriteEnd()
        text.closeWriteEnd()
        identifier = child.identifier
        report = ChildReport(lineLimit: instance.program == nil ? ChildReport.lineLimit : ChildReport.programLineLimit)
        pidfd = try checked("pidfd_open", cuffd_pidfd_open(child.identifier))
        (self.records, self.text, self.output) = (records, text, output)
    }

    /// Frees the descriptors.
    func close() {
        _ = CUserfaultfd.close(pidfd)
        records.close()
        text.close()
    }

    /// Kills the child and its group.
    func kill() {
        _ = CUserfaultfd.kill(-identifier, SIGKILL)
        _ = CUserfaultfd.kill(identifier, SIGKILL)
    }

    /// Takes what the child writes until it ends, `signals` is readable, or the time is over.
    func wait(milliseconds: Int32, orFor signals: Int32) throws(Failure) -> Event {
        // poll(2) leaves out negative descriptors.
        let pipes = [records, text].map { $0.isOpen ? $0.readEnd : -1 }
        var entries = ([pidfd, signals] + pipes).map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
        if poll(&entries, nfds_t(entries.count), milliseconds) < 0 {
            if cuffd_errno() == EINTR { return .nothing }
            throw Failure(call: "poll", code: cuffd_errno())
        }
        if entries[2].revents != 0 { readRecords() }
        if entries[3].revents != 0 { readText() }
        if entries[1].revents != 0 { return .interrupted }
        guard entries[0].revents != 0 else { return .nothing }
        var status: Int32 = 0
        if waitpid(identifier, &status, WNOHANG) == identifier { end = Child.End(status: status) }
        return .ended
    }

    /// Takes what is left in the pipes.
    func readRest() {
        readRecords()
        readText()
        for line in [text.finish()].compactMap({ $0 }) { write(line) }
    }

    /// Why a child that ended by itself failed.
    func verdict(_ instance: Instance) -> [RunFailure] {
        var failures = report.failures.map { RunFailure(message: $0, otherwise: instance.name) }
        switch end {
        case .killed(let signal)?:
            failures.append(RunFailure("process", "\(signalName(signal)) ended it"))
        case .exited(let status)?:
            if failures.isEmpty && (status != 0 || !report.isDone) {
                failures.append(RunFailure("process", "it exited with status \(status) before its end"))
            }
        case nil:
            failures.append(RunFailure("process", "it was reaped by another"))
        }
        if failures.isEmpty && instance.scenario.traps && report.traps == 0 {
            failures.append(RunFailure("traps", "no trap was seen, so nothing was proven"))
        }
        return failures
    }

    private func readRecords() {
        for line in records.lines() {
            if let note = report.take(line) { write(note) }
        }
    }

    private func readText() {
        for line in text.lines() { write(line) }
    }

    private func write(_ line: String) {
        switch report.countLine() {
        case .shown: output.line(KTAP.output(line))
        case .last: output.line(KTAP.output("(more lines are not shown)"))
        case .dropped: break
        }
    }

    /// Separates the child from the runner: a session, standard streams, signals and limits of its own.
    private static func becomeChild(of parent: Int32, text: Int32) {
        setsid()
        _ = cuffd_prctl(PR_SET_PDEATHSIG, UInt(SIGKILL), 0)
        // The parent may have died before it was watched.
        if getppid() != parent { _exit(Command.unusable) }
        let null = cuffd_open("/dev/null", O_RDONLY, 0)
        if null >= 0 { dup2(null, 0) }
        dup2(text, 1)
        dup2(text, 2)
        _ = cuffd_set_limit(CUFFD_LIMIT_CORE, 0)
        cuffd_reset_signals()
    }

    private static func runBody(_ instance: Instance, _ load: Load, _ records: Output) -> Int32 {
        let context = Context(instance.scenario, kind: instance.kind, load: load) {
            records.line(ChildReport.note($0))
        }
        do throws(Failure) {
            try instance.scenario.body(context)
        } catch {
            records.line(ChildReport.failure(error.message))
        }
        records.line(ChildReport.done(traps: context.traps))
        return 0
    }
}
