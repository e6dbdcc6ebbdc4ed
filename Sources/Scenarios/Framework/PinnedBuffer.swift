// SPDX-License-Identifier: GPL-2.0-only

import CUserfaultfd
import Userfaultfd

/// Pages that are pinned for long (FOLL_LONGTERM), as fixed buffers of an io_uring are (io_uring_register(2)).
struct PinnedBuffer: Sendable {
    private let ring: Int32

    /// What pinning needs of the kernel.
    static let need = Need.file("/proc/sys/kernel/io_uring_disabled", "CONFIG_IO_URING")

    /// Pins a range for writing, which faults its pages in as a write would.
    init(_ range: AddressRange) throws(Failure) {
        // The numbers are the same on every architecture; struct io_uring_params has 120 bytes.
        let (setup, register, registerBuffers) = (425, 427, 0)
        var parameters = [UInt8](repeating: 0, count: 120)
        var result = 0
        parameters.withUnsafeMutableBufferPointer { buffer in
            result = cuffd_syscall(setup, 1, Int(bitPattern: buffer.baseAddress), 0, 0, 0, 0)
        }
        let ring = Int32(try checked("io_uring_setup", result))
        var vector = iovec(iov_base: UnsafeMutableRawPointer(bitPattern: range.start), iov_len: Int(range.length))
        withUnsafeMutablePointer(to: &vector) { pointer in
            result = cuffd_syscall(register, Int(ring), registerBuffers, Int(bitPattern: pointer), 1, 0, 0)
        }
        self.ring = ring
        try checked("io_uring_register", result)
    }

    /// Ends the pin. The buffers are given back by a call of their own, because a ring that is closed lets go of them
    /// later, by a worker of the kernel's.
    func release() throws(Failure) {
        let (register, unregisterBuffers) = (427, 1)
        let result = cuffd_syscall(register, Int(ring), unregisterBuffers, 0, 0, 0, 0)
        close(ring)
        try checked("io_uring_register", result)
    }
}
