// SPDX-License-Identifier: GPL-2.0-only

import Synchronization

/// Makes of the guest's stream one that also has a result for each test that a selftest prints, as it prints it.
public final class KselftestStream: Sendable {
    private struct State {
        var transcript: KselftestTranscript?
        var program = ""
        var planned = 0
    }

    private let state = Mutex(State())
    private let programs: Set<String>
    private let reader: EventSink

    /// - Parameters:
    ///   - programs: The names of the results that are selftests'.
    ///   - reader: What gets the stream.
    public init(_ programs: Set<String>, to reader: EventSink) {
        self.programs = programs
        self.reader = reader
    }

    /// Where the guest's stream goes.
    public var sink: EventSink { EventSink { self.receive($0) } }

    private func receive(_ event: LabEvent) {
        reader.send(event)
        guard case .ktap(let line) = event else { return }
        for more in state.withLock({ take(line, &$0) }) { reader.send(.ktap(more)) }
    }

    private func take(_ event: KTAPEvent, _ state: inout State) -> [KTAPEvent] {
        switch event {
        case .plan(let count):
            state.planned = count
        case .running(let name):
            state.program = name
            state.transcript = programs.contains(name) ? KselftestTranscript(program: name) : nil
        case .result:
            state.transcript = nil
        case .diagnostic(let text) where text.hasPrefix("  "):
            guard let found = state.transcript?.take(String(text.dropFirst(2))) else { return [] }
            if case .plan(let count) = found {
                state.planned += count
                return [.plan(state.planned)]
            }
            // A result ends what ran; the program goes on.
            return [found, .running(name: state.program)]
        default:
            break
        }
        return []
    }
}
