// SPDX-License-Identifier: GPL-2.0-only

import CUserfaultfd

/// One message read from a userfaultfd (`struct uffd_msg`, userfaultfd(2)).
public enum Message: Sendable, Equatable {
    /// A thread faults at `address`; `thread` is its id under `UFFD_FEATURE_THREAD_ID`, else 0.
    case pageFault(address: UInt, flags: FaultFlags, thread: UInt32)
    /// The process forked; `descriptor` is the child's userfaultfd.
    case fork(descriptor: Int32)
    /// mremap(2) moved a registered range; `length` in bytes.
    case remap(from: UInt, to: UInt, length: UInt)
    /// madvise(2) with MADV_DONTNEED or MADV_REMOVE freed a registered range.
    case remove(AddressRange)
    /// munmap(2) of a registered range.
    case unmap(AddressRange)
    /// An event that this program does not know.
    case unknown(UInt8)

    init(_ raw: uffd_msg) {
        let argument = raw.arg
        switch raw.event {
        case 0x12:
            self = .pageFault(
                address: UInt(argument.pagefault.address),
                flags: FaultFlags(rawValue: argument.pagefault.flags),
                thread: argument.pagefault.ptid
            )
        case 0x13:
            self = .fork(descriptor: Int32(bitPattern: argument.fork.ufd))
        case 0x14:
            self = .remap(
                from: UInt(argument.remap.from),
                to: UInt(argument.remap.to),
                length: UInt(argument.remap.len)
            )
        case 0x15:
            self = .remove(Message.range(argument.remove.start, argument.remove.end))
        case 0x16:
            self = .unmap(Message.range(argument.remove.start, argument.remove.end))
        default:
            self = .unknown(raw.event)
        }
    }

    private static func range(_ start: UInt64, _ end: UInt64) -> AddressRange {
        AddressRange(start: UInt(start), length: UInt(end &- start))
    }

    /// The message in words, for failure reports.
    public var description: String {
        switch self {
        case .pageFault(let address, let flags, _): "page fault at \(hex(address)), flags \(flags.rawValue)"
        case .fork: "fork"
        case .remap(let from, let to, _): "remap of \(hex(from)) to \(hex(to))"
        case .remove(let range): "remove of \(range.words)"
        case .unmap(let range): "unmap of \(range.words)"
        case .unknown(let event): "event \(event)"
        }
    }
}
