// SPDX-License-Identifier: GPL-2.0-only

import CUserfaultfd
import Userfaultfd

/// How fast the machine is now, beside the fastest that it has been.
///
/// Emulated CPUs that get little of a busy host still see all of its time go by. A time limit that is meant for an idle
/// host would end scenarios that do nothing wrong there, so the supervisor stretches it by what this measures.
struct Pace {
    /// How long one measurement's work took when it took the least, in nanoseconds of CPU time.
    private var best: Int
    private var sum = 0
    private var samples = 0

    /// No limit gets longer than so many times.
    private static let longest = 10
    /// Fewer samples than these tell nothing.
    private static let fewest = 5

    /// Measures the machine at its best.
    init() {
        best = (0..<10).reduce(Int.max) { least, _ in min(least, Pace.work()) }
    }

    /// Forgets the samples, but not the best.
    mutating func restart() {
        (sum, samples) = (0, 0)
    }

    /// Takes a sample, which takes about a millisecond.
    mutating func sample() {
        let time = Pace.work()
        best = min(best, time)
        sum += time
        samples += 1
    }

    /// How many times longer things took since `restart()` than at best, in percent: at least 100.
    var percent: Int {
        guard samples >= Pace.fewest else { return 100 }
        return min(max(sum / samples * 100 / best, 100), Pace.longest * 100)
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
