// SPDX-License-Identifier: GPL-2.0-only

import Synchronization

/// Reads what make prints: how far the build is, and why it failed.
///
/// Kbuild announces each step as "  CC      mm/memory.o"; the steps that compile a file are counted.
final class BuildOutput: Sendable {
    private struct State {
        var done: Int
        var errors: [String] = []
    }

    private let state: Mutex<State>
    private let expected: Int
    private let events: EventSink

    /// - Parameters:
    ///   - expected: How many files a build from nothing compiles, as far as is known.
    ///   - done: How many of them an interrupted build left compiled.
    init(expected: Int, done: Int, events: EventSink) {
        self.expected = max(expected, 1)
        self.state = Mutex(State(done: done))
        self.events = events
    }

    /// Reads one line.
    func take(_ line: String) {
        if Self.isCompilation(line) {
            let done = state.withLock { state in
                state.done += 1
                return state.done
            }
            // The estimate may be too low: then the end stays one file ahead, so that the share never falls and never
            // reaches the whole before make does.
            events.send(.advanced(.compile, done: done, total: max(expected, done + 1), unit: "files"))
        } else if Self.isError(line) {
            state.withLock { state in
                if state.errors.count < 20 { state.errors.append(line) }
            }
        }
    }

    /// Files compiled so far.
    var done: Int { state.withLock(\.done) }

    /// The first lines that say why make failed.
    var errors: [String] { state.withLock(\.errors) }

    private static let compilers: Set<Substring> = ["CC", "AS", "HOSTCC", "HOSTCXX", "RUSTC"]

    private static func isCompilation(_ line: String) -> Bool {
        guard line.hasPrefix("  "), let command = line.split(separator: " ", maxSplits: 1).first else { return false }
        return compilers.contains(command)
    }

    private static let errorMarks = [
        ": error:", "fatal error:", "undefined reference", "multiple definition", "ERROR:", "*** ", "not found",
        "No space left on device", "Killed", "internal compiler error", "cannot execute",
    ]

    static func isError(_ line: String) -> Bool {
        errorMarks.contains { line.contains($0) }
    }
}
