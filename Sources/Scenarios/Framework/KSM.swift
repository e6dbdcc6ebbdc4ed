// SPDX-License-Identifier: GPL-2.0-only

import CUserfaultfd
import Userfaultfd

/// The kernel's samepage merging, by its files of /sys (Documentation/admin-guide/mm/ksm.rst). ksmd is the machine's, so
/// who uses it runs on one of the suite's own, whose runner puts the settings back.
enum KSM {
    static let needs: [Need] = [.file("/sys/kernel/mm/ksm/run", "CONFIG_KSM"), .ownMachine, .root]

    /// Lets ksmd scan without a pause.
    static func start(zeroPages: Bool = false) throws(Failure) {
        try GlobalSettings.set([
            ("/sys/kernel/mm/ksm/use_zero_pages", zeroPages ? "1" : "0"),
            ("/sys/kernel/mm/ksm/sleep_millisecs", "0"), ("/sys/kernel/mm/ksm/pages_to_scan", "1000"),
            ("/sys/kernel/mm/ksm/smart_scan", "0"), ("/sys/kernel/mm/ksm/run", "1"),
        ])
    }

    /// Ends that; what is merged stays so.
    static func stop() throws(Failure) {
        try FileAccess.write("/sys/kernel/mm/ksm/run", "0")
    }

    /// Lets ksmd run until these pages, of which each is the same, are in one frame, and stops it again.
    static func merge(_ memory: Memory, _ pages: Range<Int>, zeroPages: Bool = false) throws(Failure) {
        try start(zeroPages: zeroPages)
        while true {
            let frames = try memory.frames()[pages]
            if frames.allSatisfy({ $0 == frames[pages.lowerBound] && $0 != 0 }) { break }
            sched_yield()
        }
        try stop()
    }

    /// Gives every merged page of the machine a frame of its own. The write returns when it is done.
    static func unmergeAll() throws(Failure) {
        try FileAccess.write("/sys/kernel/mm/ksm/run", "2")
    }
}
