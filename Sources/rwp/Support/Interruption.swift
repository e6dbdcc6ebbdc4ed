// SPDX-License-Identifier: GPL-2.0-only

import Foundation
import KernelLab
import Synchronization

/// The pipe's end that the signal handler writes to: set once, before the handler is.
nonisolated(unsafe) private var signalPipe: Int32 = -1

/// The signals that ask `rwp` to stop, turned into the cancellation of its work.
///
/// The first signal cancels: children end, partial results are kept. A later one of the same kind kills the
/// children and ends `rwp` at once. timeout(1) signals the process and then its group, so two at once are one request.
/// A signal's number decides the exit status, as in a shell (128 + number).
final class Interruption: Sendable {
    /// The one of this process: signals are the process's.
    static let current = Interruption()

    /// Signals of one kind that come within this time of the first are the same request.
    private static let oneRequest: Duration = .milliseconds(500)

    private struct State {
        var signal: Int32?
        var since: ContinuousClock.Instant?
        var work: (@Sendable () -> Void)?
    }

    private let state = Mutex(State())

    /// The signal that came, if one did.
    var signal: Int32? { state.withLock { $0.signal } }

    /// Catches the signals from now on.
    ///
    /// A handler may only do what signal-safety(7) allows, so it writes the signal's number to a pipe, and a thread
    /// reads it there. Handlers, not SIG_IGN or a mask: children begin with neither.
    func catchSignals() {
        var ends: [Int32] = [-1, -1]
        guard pipe(&ends) == 0 else { return }
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        signalPipe = ends[1]
        let readEnd = ends[0]
        Thread.detachNewThread { [self] in
            var number: UInt8 = 0
            while true {
                let count = read(readEnd, &number, 1)
                if count == 1 { signalled(Int32(number)) } else if count == 0 || errno != EINTR { return }
            }
        }
        for number in [SIGINT, SIGTERM, SIGHUP] {
            handle(number) { number in
                let saved = errno
                var byte = UInt8(truncatingIfNeeded: number)
                _ = write(signalPipe, &byte, 1)
                errno = saved
            }
        }
        // Whoever writes sees EPIPE, and `Output` makes of it what this signal stands for.
        handle(SIGPIPE) { _ in }
    }

    /// Runs `work` in a task that the signals cancel.
    func running<Result: Sendable>(_ work: @escaping @Sendable () async throws -> Result) async throws -> Result {
        let task = Task(operation: work)
        let alreadySignalled = state.withLock { state in
            state.work = { task.cancel() }
            return state.signal != nil
        }
        if alreadySignalled { task.cancel() }
        defer { state.withLock { $0.work = nil } }
        return try await task.value
    }

    /// Takes note of a signal and cancels the work.
    func signalled(_ number: Int32) {
        let (work, again) = state.withLock { state in
            if state.signal == nil {
                state.signal = number
                state.since = .now
            }
            let again = state.signal == number && state.since.map { .now - $0 > Self.oneRequest } ?? false
            return (state.work, again)
        }
        if again && number != SIGPIPE {
            RunningTools.kill()
            _exit(128 + number)
        }
        work?()
    }

    private func handle(_ number: Int32, _ handler: @escaping @convention(c) (Int32) -> Void) {
        var action = sigaction()
        action.__sigaction_handler.sa_handler = handler
        action.sa_flags = Int32(SA_RESTART)
        sigaction(number, &action, nil)
    }
}
