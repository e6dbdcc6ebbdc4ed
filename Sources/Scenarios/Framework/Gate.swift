// SPDX-License-Identifier: GPL-2.0-only

import CUserfaultfd
import Userfaultfd

/// A gate between processes or threads: who waits goes on once it is open, and it stays open.
///
/// It is an eventfd(2), made before the fork, so that parent and child share it without shared memory.
public struct Gate: Sendable {
    private let descriptor: Int32

    /// Makes a closed gate.
    public init() throws(Failure) {
        descriptor = try checked("eventfd", eventfd(0, O_CLOEXEC))
    }

    /// Opens it.
    public func open() throws(Failure) {
        var one: UInt64 = 1
        if write(descriptor, &one, 8) != 8 { throw Failure(call: "write to a gate", code: cuffd_errno()) }
    }

    /// Blocks until it is open.
    @inline(never)
    public func wait() throws(Failure) {
        _ = try waitReadable(descriptor, milliseconds: -1)
    }
}
