// SPDX-License-Identifier: GPL-2.0-only

import Foundation
import Synchronization
import SystemPackage

/// One start of QEMU, from its first instruction to its end.
struct MachineSession: Sendable {
    let qemu: Tool
    let arguments: [String]
    let pipes: MachinePipes
    let limits: MachineWatch.Limits
    let folder: FilePath
    let events: EventSink

    /// How QEMU ended, and what came until then.
    struct Outcome: Sendable {
        var suite: SuiteResult
        var ending: Ending
        var kernelRelease: String?
        var consoleLog: FilePath
        var ktapLog: FilePath
        var lastConsoleLines: [String]
        var started: Date
        var bootTime: Duration?
        var totalTime: Duration
    }

    /// How a session ended, as seen from outside the machine.
    enum Ending: Sendable, Hashable {
        /// The machine ran, and this is how that ended.
        case ran(MachineEnd)
        /// The accelerator never ran an instruction that we could see.
        case silentAccelerator(afterSeconds: Int)
        /// QEMU did not start the machine.
        case refused(status: String, messages: [String])

        /// Why another accelerator should be tried; nil where the machine ran.
        var acceleratorFailure: String? {
            switch self {
            case .ran: nil
            case .silentAccelerator(let seconds): "KVM gave no console byte in \(seconds) s"
            case .refused(let status, let messages): "QEMU cannot use KVM (\(messages.last ?? status))"
            }
        }
    }

    /// Runs QEMU to its end, or to the end of our patience.
    ///
    /// - Throws: `MachineError` where the streams cannot be kept, `ToolError` where QEMU cannot be started, and
    ///   `CancellationError`; QEMU has ended and is reaped in each case.
    func run() async throws -> Outcome {
        defer { pipes.remove() }
        let (inputs, continuation) = AsyncStream<MachineInput>.makeStream()
        return try await withThrowingTaskGroup(of: Void.self) { group in
            let clock = SuspendingClock()
            let (started, start) = (Date(), clock.now)
            group.addTask { try await runQEMU(continuation) }

            var record = try MachineRecord(in: folder, events: events)
            var watch = MachineWatch(limits: limits, start: start)
            var alarm: MachineWatch.Instant?
            var verdict: MachineWatch.Verdict?
            var bootTime: Duration?
            var end: (status: ToolStatus?, messages: [String])?

            func setAlarm() {
                guard alarm.map({ watch.due < $0 }) ?? true else { return }
                alarm = watch.due
                group.addTask { [due = watch.due] in
                    try? await clock.sleep(until: due, tolerance: nil)
                    continuation.yield(.timer)
                }
            }
            setAlarm()
            for await input in inputs {
                switch input {
                case .console(let bytes):
                    try record.takeConsole(bytes)
                    watch.heardConsole()
                    if record.panic != nil { watch.heardPanic(at: clock.now) }
                case .ktap(let bytes):
                    bootTime = bootTime ?? (clock.now - start)
                    try record.takeResults(bytes)
                    watch.heardResults(isOver: record.collector.isOver, at: clock.now)
                case .timer:
                    alarm = nil
                    verdict = verdict ?? watch.verdict(at: clock.now, running: record.collector.running)
                    // QEMU's end comes as an input, too, so that nothing that it wrote is lost.
                    if verdict != nil { group.cancelAll() }
                case .ended(let status, let messages):
                    end = (status, messages)
                }
                if verdict == nil, end == nil { setAlarm() }
            }
            try Task.checkCancellation()
            group.cancelAll()
            try await group.waitForAll()

            let isOver = record.collector.isOver
            let suite = record.finish()
            let ending = Self.ending(
                of: suite,
                isOver: isOver,
                panic: record.panic,
                verdict: verdict,
                status: end?.status,
                messages: end?.messages ?? [],
                sawInstructions: record.hasConsole || bootTime != nil
            )
            return Outcome(
                suite: suite,
                ending: ending,
                kernelRelease: record.kernelRelease,
                consoleLog: record.consolePath,
                ktapLog: record.ktapPath,
                lastConsoleLines: record.lastConsoleLines.lines,
                started: started,
                bootTime: bootTime,
                totalTime: clock.now - start
            )
        }
    }

    /// Runs the program and both readers; the last thing that `inputs` gets is QEMU's end.
    private func runQEMU(_ inputs: AsyncStream<MachineInput>.Continuation) async throws {
        defer { inputs.finish() }
        let messages = Mutex(LastLines())
        async let drained: Void = pipes.drain(into: inputs)
        let result: Result<ToolStatus?, any Error>
        do {
            result = .success(try await qemu.status(arguments) { line in messages.withLock { $0.append(line) } })
        } catch is CancellationError {
            result = .success(nil)
        } catch {
            result = .failure(error)
        }
        pipes.closeWriters()
        await drained
        inputs.yield(.ended(try result.get(), messages: messages.withLock(\.lines)))
    }

    /// The most telling cause comes first: a panic also ends QEMU, and ends the results early.
    private static func ending(
        of suite: SuiteResult,
        isOver: Bool,
        panic: String?,
        verdict: MachineWatch.Verdict?,
        status: ToolStatus?,
        messages: [String],
        sawInstructions: Bool
    ) -> Ending {
        if let panic { return .ran(.panicked(reason: panic, running: suite.running)) }
        switch verdict {
        case .silentAccelerator(let seconds): return .silentAccelerator(afterSeconds: seconds)
        case .hung(let phase, let seconds): return .ran(.hung(phase, afterSeconds: seconds))
        case .stuckAfterPanic, nil: break
        }
        guard let status, status.isSuccess else {
            let how = status.map(\.description) ?? "was ended"
            if !sawInstructions, gaveUp(status) { return .refused(status: how, messages: messages) }
            return .ran(.qemuDied(how: how, messages: messages, running: suite.running))
        }
        return .ran(isOver ? .finished : .endedEarly(running: suite.running))
    }

    /// Whether it was QEMU's own decision to end: it exits when it dislikes its arguments, and aborts when KVM dislikes its
    /// CPU. Any other signal came from somebody else.
    private static func gaveUp(_ status: ToolStatus?) -> Bool {
        switch status {
        case .exited, .signaled(SIGABRT): true
        case .signaled, nil: false
        }
    }
}
