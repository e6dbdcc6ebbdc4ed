// SPDX-License-Identifier: GPL-2.0-only

import CUserfaultfd
import Userfaultfd

/// A thread that another one interrupts in the midst of a page fault: for races that chance would hardly ever find.
///
/// Both are bound to one CPU. The one that interrupts is a real-time thread: it sleeps for a while, in which the other
/// gets so far, and goes on at once when the time is over, wherever in the kernel the other is. The while grows from
/// round to round until the other is found at its end some times in a row, and then begins anew. So all of the fault is
/// gone through on a machine of any speed, step by step. What is shown must hold wherever the other was interrupted.
struct Interruption: Sendable {
    /// What it takes: a CPU that a thread may have for itself (sched_setscheduler(2)).
    static let needs: [Need] = [.root, .ownMachine]

    private let rounds: Int
    /// The number of the round that may begin, and of the one that is over.
    private let state = Words(2)

    /// Prepares so many rounds.
    init(rounds: Int) {
        self.rounds = rounds
    }

    /// Whether the access of this round is over.
    var isOver: Bool { state[0] == state[1] }

    /// In each round lets a thread `access`, interrupts it and calls `act`, which is to return when the access is over
    /// or waits for nobody. `isAtEnd` tells whether the thread would get any further if it were let.
    func run(
        _ access: @escaping @Sendable () -> Void,
        isAtEnd: @escaping @Sendable () throws(Failure) -> Bool,
        prepare: @escaping @Sendable () throws(Failure) -> Void,
        act: @escaping @Sendable () throws(Failure) -> Void
    ) throws(Failure) {
        let home = try Affinity()
        try home.only(1).apply()
        let (state, last) = (state, UInt64(rounds))
        let interrupted = try Thread { () throws(Failure) in
            while state[1] < last {
                while state[0] == state[1] { sched_yield() }
                access()
                state[1] = state[0]
            }
        }
        let interrupting = try Thread { () throws(Failure) in
            try becomeRealTime()
            var (delay, ends) = (0, 0)
            for round in 1...last {
                try prepare()
                state[0] = round
                Interruption.pause(delay)
                ends = try isAtEnd() ? ends + 1 : 0
                // Small steps at first, and at last some for faults of huge pages.
                delay = ends < 8 ? delay + delay / 50 + 500 : 0
                try act()
                while !isOver { Interruption.pause(20_000) }
            }
        }
        try interrupting.join()
        try interrupted.join()
        try home.apply()
    }

    /// Lets the other thread have the CPU for so many nanoseconds.
    static func pause(_ nanoseconds: Int) {
        var time = timespec(tv_sec: 0, tv_nsec: nanoseconds)
        _ = nanosleep(&time, nil)
    }
}

/// Makes the calling thread one that leaves the CPU to others only when it sleeps (SCHED_FIFO of sched(7)).
private func becomeRealTime() throws(Failure) {
    var priority: Int32 = 10
    let code = withUnsafeMutablePointer(to: &priority) { pointer in
        cuffd_syscall(Int(SYS_sched_setscheduler), 0, Int(SCHED_FIFO), Int(bitPattern: pointer), 0, 0, 0)
    }
    try checked("sched_setscheduler", code)
}
