// SPDX-License-Identifier: GPL-2.0-only

import CUserfaultfd

/// A range of virtual addresses, in bytes: `start` up to, not including, `end`.
public struct AddressRange: Sendable, Equatable {
    /// The first address.
    public var start: UInt
    /// The length in bytes.
    public var length: UInt

    /// Makes a range; nothing is checked, so that scenarios can hand the kernel bad ones.
    public init(start: UInt, length: UInt) {
        self.start = start
        self.length = length
    }

    /// The first address after the range.
    public var end: UInt { start &+ length }

    /// Whether the address is in the range.
    public func contains(_ address: UInt) -> Bool {
        address >= start && address < end
    }

    var uapi: uffdio_range { uffdio_range(start: UInt64(start), len: UInt64(length)) }

    var words: String { "\(hex(start))+\(hex(length))" }
}
