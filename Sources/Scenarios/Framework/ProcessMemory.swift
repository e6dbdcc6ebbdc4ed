// SPDX-License-Identifier: GPL-2.0-only

import CUserfaultfd
import Userfaultfd

/// /proc/self/mem, open: accesses with FOLL_FORCE.
struct ProcessMemory: Sendable {
    private let descriptor: Int32

    /// Opens the file.
    init() throws(Failure) {
        descriptor = try checked("open of /proc/self/mem", cuffd_open("/proc/self/mem", O_RDWR, 0))
    }

    /// Reads a word; whether it could.
    func read(_ word: inout UInt64, at address: UInt) -> Bool {
        pread(descriptor, &word, 8, Int(address)) == 8
    }

    /// Writes a word; whether it could.
    func write(_ word: inout UInt64, at address: UInt) -> Bool {
        pwrite(descriptor, &word, 8, Int(address)) == 8
    }
}
