// SPDX-License-Identifier: GPL-2.0-only

import Foundation
import KernelLab

/// Somebody who shows events: a terminal, plain lines, or nothing.
protocol EventReader: Sendable {
    typealias Instant = ContinuousClock.Instant

    /// Called once, before the first event.
    mutating func begin()
    mutating func receive(_ event: LabEvent, at now: Instant)
    /// Called some times a second.
    mutating func tick(at now: Instant)
    /// Called once, after the last event.
    mutating func end(at now: Instant)
}

/// Carries events from whoever sends them to one reader, which is only ever called from one task.
struct Screen: Sendable {
    private enum Input: Sendable {
        case event(LabEvent, at: ContinuousClock.Instant)
        case tick
    }

    /// Where steps send what they do.
    let events: EventSink
    private let inputs: AsyncStream<Input>.Continuation
    private let reading: Task<Void, Never>

    /// Starts showing events with `reader`.
    init(_ reader: some EventReader) {
        let (stream, inputs) = AsyncStream.makeStream(of: Input.self)
        self.inputs = inputs
        events = EventSink { inputs.yield(.event($0, at: .now)) }
        reading = Task {
            var reader = reader
            reader.begin()
            for await input in stream {
                switch input {
                case .event(let event, let instant): reader.receive(event, at: instant)
                case .tick: reader.tick(at: .now)
                }
            }
            reader.end(at: .now)
        }
    }

    /// Runs `body` with a screen that ends when it does, however it does.
    static func during<Result: Sendable>(
        _ reader: some EventReader,
        _ body: (EventSink) async throws -> Result
    ) async throws -> Result {
        let screen = Screen(reader)
        let clock = Task { [inputs = screen.inputs] in
            while !Task.isCancelled {
                try await Task.sleep(for: .milliseconds(100))
                inputs.yield(.tick)
            }
        }
        let outcome: Swift.Result<Result, any Error>
        do { outcome = .success(try await body(screen.events)) } catch { outcome = .failure(error) }
        clock.cancel()
        screen.inputs.finish()
        await screen.reading.value
        return try outcome.get()
    }
}

/// Shows nothing: `--quiet`.
struct SilentReader: EventReader {
    mutating func begin() {}
    mutating func receive(_ event: LabEvent, at now: Instant) {}
    mutating func tick(at now: Instant) {}
    mutating func end(at now: Instant) {}
}
