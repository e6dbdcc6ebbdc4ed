// SPDX-License-Identifier: GPL-2.0-only

import CUserfaultfd
import Userfaultfd

/// A pipe(7).
public struct Pipe: Sendable {
    /// The end to read from.
    public let reader: Int32
    /// The end to write to.
    public let writer: Int32

    /// Makes a pipe whose ends are close-on-exec.
    public init() throws(Failure) {
        var ends: (Int32, Int32) = (-1, -1)
        let result = withUnsafeMutablePointer(to: &ends) { pointer in
            pointer.withMemoryRebound(to: Int32.self, capacity: 2) { pipe2($0, O_CLOEXEC) }
        }
        if result != 0 { throw Failure(call: "pipe2", code: cuffd_errno()) }
        (reader, writer) = ends
    }

    /// Reads one byte; blocks until there is one.
    public func readByte() throws(Failure) -> UInt8 {
        var byte: UInt8 = 0
        let count = read(reader, &byte, 1)
        if count != 1 { throw Failure(call: "read of a pipe", code: count < 0 ? cuffd_errno() : EPIPE) }
        return byte
    }

    /// Writes bytes that the kernel copies from `address` (write(2) uses copy_from_user, not GUP).
    public func send(from address: UInt, count: Int) throws(Failure) {
        let done = write(writer, UnsafeRawPointer(bitPattern: address), count)
        if done < 0 { throw Failure(call: "write from \(hex(address))", code: cuffd_errno()) }
        if done != count { throw Failure("write from \(hex(address)): \(done) of \(count) bytes") }
    }
}
