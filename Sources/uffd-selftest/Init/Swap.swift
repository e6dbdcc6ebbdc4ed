// SPDX-License-Identifier: GPL-2.0-only

import CUserfaultfd
import Userfaultfd

/// Swap on a compressed disk in memory (`Documentation/admin-guide/blockdev/zram.rst`).
enum Swap {
    private static let device = "/dev/zram0"

    /// Makes zram0 so many MiB large and swaps on it.
    static func turnOn(megabytes: Int) throws(Failure) {
        guard FileAccess.exists(device) else { throw Failure("no \(device): needs CONFIG_ZRAM") }
        let size = megabytes << 20
        try FileAccess.write("/sys/block/zram0/disksize", "\(size)")
        try writeHeader(pages: size / Int(basePageSize))
        try checked("swapon of \(device)", cuffd_swapon(device))
    }

    /// Does what mkswap(8) does.
    private static func writeHeader(pages: Int) throws(Failure) {
        let descriptor = try checked("open of \(device)", cuffd_open(device, O_WRONLY, 0))
        defer { close(descriptor) }
        var page = [UInt8](repeating: 0, count: Int(basePageSize))
        cuffd_swap_header(&page, UInt64(basePageSize), UInt32(pages - 1))
        if write(descriptor, page, page.count) != page.count {
            throw Failure(call: "write of the swap header to \(device)", code: cuffd_errno())
        }
    }
}
