// SPDX-License-Identifier: GPL-2.0-only

@testable import KernelLab

/// The events that were sent to a sink.
struct Received: Sendable {
    private let collected = Collected<LabEvent>()
    var all: [LabEvent] { collected.elements }
    var sink: EventSink { EventSink { collected.append($0) } }
}
