// SPDX-License-Identifier: GPL-2.0-only

/// Decides from what a machine has said, and when, whether it hangs.
///
/// A value without a clock of its own, so that each limit can be tested without waiting. Times are of a clock that stands
/// still while the host is suspended: a laptop that slept is no hang.
struct MachineWatch: Sendable {
    typealias Instant = SuspendingClock.Instant

    /// How long each phase may stay silent.
    struct Limits: Sendable {
        /// To the first byte on the console; nil where that has no limit of its own.
        var firstByte: Duration?
        var boot: Duration
        var silence: Duration
        var powerOff: Duration

        /// The limits of `machine`, each `scale` times as long.
        init(_ machine: MachineDescription, accelerator: Accelerator, scale: Double) {
            func seconds(_ count: Int) -> Duration { .seconds(count) * scale }
            firstByte = accelerator == .kvm ? machine.accelerators.kvm.map { seconds($0.firstByteSeconds) } : nil
            boot = seconds(machine.limits.bootSeconds)
            silence = seconds(machine.limits.silenceSeconds)
            powerOff = seconds(machine.limits.powerOffSeconds)
        }
    }

    /// What a passed limit means.
    enum Verdict: Sendable, Hashable {
        /// The accelerator never ran an instruction that we could see.
        case silentAccelerator(afterSeconds: Int)
        /// The machine hangs.
        case hung(MachineEnd.Phase, afterSeconds: Int)
        /// The kernel panicked and did not reset.
        case stuckAfterPanic
    }

    private enum Phase {
        case powerOn, boot, scenarios, powerOff, panicked
    }

    private let limits: Limits
    private let start: Instant
    private var phase: Phase
    /// When the present phase, or in `scenarios` its last line, began.
    private var last: Instant

    init(limits: Limits, start: Instant) {
        self.limits = limits
        self.start = start
        last = start
        phase = limits.firstByte == nil ? .boot : .powerOn
    }

    /// The kernel printed something.
    mutating func heardConsole() {
        if phase == .powerOn { phase = .boot }
    }

    /// The kernel announced its death.
    mutating func heardPanic(at now: Instant) {
        guard phase != .panicked else { return }
        (phase, last) = (.panicked, now)
    }

    /// The guest sent some of its results; `isOver` when these were the last.
    mutating func heardResults(isOver: Bool, at now: Instant) {
        guard phase != .panicked, phase != .powerOff else { return }
        (phase, last) = (isOver ? .powerOff : .scenarios, now)
    }

    /// When the present limit passes.
    var due: Instant { last + limit }

    /// What it means that nothing came until `now`; nil while there is time. `running` is the scenario that runs.
    func verdict(at now: Instant, running: String?) -> Verdict? {
        guard now >= due else { return nil }
        let seconds = Int(limit.components.seconds)
        switch phase {
        case .powerOn: return .silentAccelerator(afterSeconds: seconds)
        case .boot: return .hung(.boot, afterSeconds: seconds)
        case .scenarios: return .hung(.scenarios(running: running), afterSeconds: seconds)
        case .powerOff: return .hung(.powerOff, afterSeconds: seconds)
        case .panicked: return .stuckAfterPanic
        }
    }

    private var limit: Duration {
        switch phase {
        case .powerOn: limits.firstByte.map { min($0, limits.boot) } ?? limits.boot
        case .boot: limits.boot
        case .scenarios: limits.silence
        case .powerOff, .panicked: limits.powerOff
        }
    }
}
