// SPDX-License-Identifier: GPL-2.0-only

import CUserfaultfd

/// One access of one byte, and what it raised.
public struct Probe: Sendable, Equatable {
    /// 0, or the signal that the access raised: SIGSEGV or SIGBUS.
    public let signal: Int32
    /// `si_code` of the signal (sigaction(2)).
    public let code: Int32
    /// The byte that was read.
    public let value: UInt8

    /// Reads a byte; a signal that this raises is caught and told.
    public static func read(_ address: UInt) -> Probe {
        cuffd_catch_memory_signals()
        return Probe(cuffd_probe_read(address))
    }

    /// Writes a byte; a signal that this raises is caught and told.
    public static func write(_ address: UInt, _ value: UInt8) -> Probe {
        cuffd_catch_memory_signals()
        return Probe(cuffd_probe_write(address, value))
    }

    private init(_ raw: cuffd_probe) {
        signal = raw.signal
        code = raw.code
        value = raw.value
    }
}
