// SPDX-License-Identifier: GPL-2.0-only

import CUserfaultfd
import Userfaultfd

/// A long-term pin of a range, by the gup_test device.
struct LongtermPin: Sendable {
    private let device: Int32

    /// Pins the range (FOLL_LONGTERM).
    init(_ range: AddressRange, write: Bool) throws(Failure) {
        device = try checked("open of gup_test", cuffd_open("/sys/kernel/debug/gup_test", O_RDWR, 0))
        var argument = pin_longterm_test(
            addr: UInt64(range.start),
            size: UInt64(range.length),
            // PIN_LONGTERM_TEST_FLAG_USE_FAST: the other way holds the mmap lock and could not wait for a monitor.
            flags: (write ? 1 : 0) | 2
        )
        try checked("PIN_LONGTERM_TEST_START", cuffd_ioctl(device, CUFFD_PIN_LONGTERM_START, &argument))
    }

    /// Unpins.
    func release() throws(Failure) {
        try checked("PIN_LONGTERM_TEST_STOP", cuffd_ioctl(device, CUFFD_PIN_LONGTERM_STOP, nil))
        _ = close(device)
    }
}

extension Need {
    /// The gup_test device.
    static let gupTest = Need.file("/sys/kernel/debug/gup_test", "CONFIG_GUP_TEST and debugfs")
}
