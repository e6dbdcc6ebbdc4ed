// SPDX-License-Identifier: GPL-2.0-only

import CUserfaultfd
import Userfaultfd

/// process_vm_readv(2) or process_vm_writev(2) of one word of a process.
func transferWord(
    of process: Int32,
    at address: UInt,
    _ word: inout UInt64,
    write: Bool
) throws(Failure) {
    let count = withUnsafeMutablePointer(to: &word) { pointer in
        var local = iovec(iov_base: pointer, iov_len: 8)
        var remote = iovec(iov_base: UnsafeMutableRawPointer(bitPattern: address), iov_len: 8)
        return write
            ? process_vm_writev(process, &local, 1, &remote, 1, 0)
            : process_vm_readv(process, &local, 1, &remote, 1, 0)
    }
    if count < 0 { throw Failure(call: "process_vm_\(write ? "writev" : "readv")", code: cuffd_errno()) }
    if count != 8 { throw Failure("process_vm_\(write ? "writev" : "readv"): \(count) bytes of 8") }
}
