// SPDX-License-Identifier: GPL-2.0-only

/// A step on the way from kernel source to verdict.
public enum Step: String, Sendable, CaseIterable, Codable {
    case fetch, unpack, snapshot, patch, configure, compile, guest, selftests, initramfs, boot, scenarios, report, check
}

/// Everything that the engine tells a screen, a log or a test: the whole protocol between them.
///
/// A step starts, advances any number of times, and finishes; an error ends it by being thrown instead.
public enum LabEvent: Sendable {
    /// A step begins; `detail` is for people ("linux-source-7.2 7.2.13-1").
    case started(Step, detail: String)
    /// `done` of `total` units ("files", "MB", "scenarios") are done; `total` is nil where it cannot be known.
    case advanced(Step, done: Int, total: Int?, unit: String)
    /// A step ended well; `detail` says what came of it ("cached", "1,842 files").
    case finished(Step, detail: String)
    /// Something that the user should know and that ends nothing ("KVM gave no console byte in 20 s; using TCG").
    case note(String)
    /// A line of the guest's KTAP stream, parsed.
    case ktap(KTAPEvent)
    /// A line that the kernel printed on its console, without its end-of-line.
    case console(String)
}

/// Where events go: a `Sendable` value that a step is handed and sends to.
///
/// Readers (terminal, plain lines, tests) are interchangeable; sending never blocks and never fails.
public struct EventSink: Sendable {
    private let receive: @Sendable (LabEvent) -> Void

    /// Makes a sink of a function, which is called from any thread.
    public init(_ receive: @escaping @Sendable (LabEvent) -> Void) {
        self.receive = receive
    }

    /// A sink that forgets everything.
    public static let discarding = EventSink { _ in }

    /// Sends one event.
    public func send(_ event: LabEvent) {
        receive(event)
    }
}
