// SPDX-License-Identifier: GPL-2.0-only

import CUserfaultfd

/// CLOCK_MONOTONIC (clock_gettime(2)), which no one sets back.
public enum Clock {
    /// Milliseconds since some moment before the process began.
    public static var milliseconds: Int { nanoseconds / 1_000_000 }

    /// Nanoseconds since the same moment.
    public static var nanoseconds: Int {
        var now = timespec()
        clock_gettime(CLOCK_MONOTONIC, &now)
        return Int(now.tv_sec) * 1_000_000_000 + Int(now.tv_nsec)
    }
}
