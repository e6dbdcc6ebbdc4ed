// SPDX-License-Identifier: GPL-2.0-only

import CUserfaultfd
import Userfaultfd

/// How fast the machine is now, beside the fastest that it has been.
///
/// Emulated CPUs that get little of a busy host still see all of its time go by. A time limit that is meant for an idle
/// host would end scenarios that do nothing wrong there, so the supervisor stretches it by what this measures.
struct Pace {
    /// How long one measurement's work takes at the machine's best, in nanoseconds of CPU time.
    private var best: Int
    /// How long it took since `restart()`.
    private var samples: [Int] = []

    /// No limit gets longer than so many times.
    private static let longest = 10
    /// Fewer samples than these tell nothing.
    private static let fewest = 5

    /// Measures the machine at its best.
    init() {
        best = Pace.median((0..<9).map { _ in Pace.work() })
    }

    /// Forgets the samples, but not the best.
    mutating func restart() {
        if samples.count >= Pace.fewest { best = min(best, Pace.median(samples)) }
        samples = []
    }

    /// Takes a sample, which takes about a millisecond.
    mutating func sample() {
        samples.append(Pace.work())
    }

    /// How many times longer things took since `restart()` than at best, in percent: at least 100.
    var percent: Int {
        guard samples.count >= Pace.fewest else { return 100 }
        return min(max(Pace.median(samples) * 100 / best, 100), Pace.longest * 100)
    }

    /// "180 % of the time that it takes at its best (738 us instead of 410)".
    var words: String {
        let now = Pace.median(samples) / 1000
        return "\(percent) % of the time that it takes at its best (\(now) us instead of \(best / 1000))"
    }

    /// The one in the middle. The clock of an emulated CPU that its host has put aside jumps: a mean, or the least, would
    /// be about that.
    private static func median(_ times: [Int]) -> Int {
        times.isEmpty ? 0 : times.sorted()[times.count / 2]
    }

    /// Does a fixed amount of work and gives the CPU time that it took this thread: other threads do not count, and a
    /// host that runs others does, since the guest cannot tell.
    private static func work() -> Int {
        var word: UInt64 = 0
        return withUnsafeMutablePointer(to: &word) { pointer in
            let address = UInt(bitPattern: pointer)
            let start = now()
            for _ in 0..<100_000 { _ = cuffd_load64(address) }
            return max(now() - start, 1)
        }
    }

    private static func now() -> Int {
        var time = timespec()
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        return Int(time.tv_sec) * 1_000_000_000 + Int(time.tv_nsec)
    }
}
