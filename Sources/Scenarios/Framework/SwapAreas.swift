// SPDX-License-Identifier: GPL-2.0-only

import CUserfaultfd
import Userfaultfd

/// The machine's swap areas (/proc/swaps, swapon(2)).
public enum SwapAreas {
    /// The files and devices that are swapped to.
    @inline(never)
    public static func all() throws(Failure) -> [String] {
        try FileAccess.lines("/proc/swaps").dropFirst().map { $0.words.first ?? "" }
    }

    /// Swaps everything back in and turns the areas off (swapoff(2)).
    public static func off(_ areas: [String]) throws(Failure) {
        for area in areas {
            let result = area.withCString { cuffd_syscall(Int(SYS_swapoff), Int(bitPattern: $0), 0, 0, 0, 0, 0) }
            try checked("swapoff of \(area)", result)
        }
    }

    /// Turns areas on again.
    public static func on(_ areas: [String]) throws(Failure) {
        for area in areas {
            let result = area.withCString { cuffd_syscall(Int(SYS_swapon), Int(bitPattern: $0), 0, 0, 0, 0, 0) }
            try checked("swapon of \(area)", result)
        }
    }
}
