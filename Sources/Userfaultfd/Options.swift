// SPDX-License-Identifier: GPL-2.0-only

/// Feature bits of `struct uffdio_api` (userfaultfd(2), ioctl_userfaultfd(2); RWP's by the contract's section 2).
public struct Features: OptionSet, Sendable, Equatable {
    /// The bits.
    public let rawValue: UInt64

    /// Makes a set of raw bits.
    public init(rawValue: UInt64) {
        self.rawValue = rawValue
    }

    /// Write protection of anonymous memory (`UFFD_FEATURE_PAGEFAULT_FLAG_WP`).
    public static let writeProtect = Features(rawValue: 1 << 0)
    /// `UFFD_FEATURE_EVENT_FORK`; needs CAP_SYS_PTRACE.
    public static let eventFork = Features(rawValue: 1 << 1)
    /// `UFFD_FEATURE_EVENT_REMAP`.
    public static let eventRemap = Features(rawValue: 1 << 2)
    /// `UFFD_FEATURE_EVENT_REMOVE`.
    public static let eventRemove = Features(rawValue: 1 << 3)
    /// `UFFD_FEATURE_MISSING_HUGETLBFS`.
    public static let missingHugetlbfs = Features(rawValue: 1 << 4)
    /// `UFFD_FEATURE_MISSING_SHMEM`.
    public static let missingShmem = Features(rawValue: 1 << 5)
    /// `UFFD_FEATURE_EVENT_UNMAP`.
    public static let eventUnmap = Features(rawValue: 1 << 6)
    /// `UFFD_FEATURE_SIGBUS`: a fault raises SIGBUS instead of blocking.
    public static let sigbus = Features(rawValue: 1 << 7)
    /// `UFFD_FEATURE_THREAD_ID`: messages carry the faulting thread.
    public static let threadID = Features(rawValue: 1 << 8)
    /// `UFFD_FEATURE_MINOR_HUGETLBFS`.
    public static let minorHugetlbfs = Features(rawValue: 1 << 9)
    /// `UFFD_FEATURE_MINOR_SHMEM`.
    public static let minorShmem = Features(rawValue: 1 << 10)
    /// `UFFD_FEATURE_EXACT_ADDRESS`: messages carry the address unrounded.
    public static let exactAddress = Features(rawValue: 1 << 11)
    /// `UFFD_FEATURE_WP_HUGETLBFS_SHMEM`: write protection of file memory.
    public static let writeProtectFiles = Features(rawValue: 1 << 12)
    /// `UFFD_FEATURE_WP_UNPOPULATED`: write protection of addresses without a page.
    public static let writeProtectUnpopulated = Features(rawValue: 1 << 13)
    /// `UFFD_FEATURE_POISON`.
    public static let poison = Features(rawValue: 1 << 14)
    /// `UFFD_FEATURE_WP_ASYNC`: the kernel resolves write-protection faults itself.
    public static let writeProtectAsync = Features(rawValue: 1 << 15)
    /// `UFFD_FEATURE_MOVE`.
    public static let move = Features(rawValue: 1 << 16)
    /// `UFFD_FEATURE_RWP` (rule N1).
    public static let readWriteProtect = Features(rawValue: 1 << 17)
    /// `UFFD_FEATURE_RWP_ASYNC` (rule N1).
    public static let readWriteProtectAsync = Features(rawValue: 1 << 18)

    private static let names: [StaticString] = [
        "PAGEFAULT_FLAG_WP", "EVENT_FORK", "EVENT_REMAP", "EVENT_REMOVE", "MISSING_HUGETLBFS", "MISSING_SHMEM",
        "EVENT_UNMAP", "SIGBUS", "THREAD_ID", "MINOR_HUGETLBFS", "MINOR_SHMEM", "EXACT_ADDRESS",
        "WP_HUGETLBFS_SHMEM", "WP_UNPOPULATED", "POISON", "WP_ASYNC", "MOVE", "RWP", "RWP_ASYNC",
    ]

    /// The bits by their kernel names without `UFFD_FEATURE_`; a bit without a name is "bit_40".
    public var kernelNames: [String] {
        (0..<64).filter { rawValue >> UInt64($0) & 1 == 1 }.map { bit in
            bit < Features.names.count ? "\(Features.names[bit])" : "bit_\(bit)"
        }
    }

    /// The names of all bits: "RWP RWP_ASYNC".
    public var description: String {
        var text = ""
        for name in kernelNames { text += (text.utf8.isEmpty ? "" : " ") + name }
        return text
    }
}

/// Modes of `struct uffdio_register`.
public struct RegisterMode: OptionSet, Sendable, Equatable {
    /// The bits.
    public let rawValue: UInt64

    /// Makes a set of raw bits.
    public init(rawValue: UInt64) {
        self.rawValue = rawValue
    }

    /// Faults on addresses without a page.
    public static let missing = RegisterMode(rawValue: 1 << 0)
    /// Writes to write-protected pages.
    public static let writeProtect = RegisterMode(rawValue: 1 << 1)
    /// Faults on addresses without a page-table entry whose page is in the page cache.
    public static let minor = RegisterMode(rawValue: 1 << 2)
    /// Any access to an armed page (contract rule G1).
    public static let readWriteProtect = RegisterMode(rawValue: 1 << 3)
}

/// The ioctls that a reply offers: bit `1 << _UFFDIO_…` each, of `uffdio_api.ioctls` and `uffdio_register.ioctls`.
public struct Ioctls: OptionSet, Sendable, Equatable {
    /// The bits.
    public let rawValue: UInt64

    /// Makes a set of raw bits.
    public init(rawValue: UInt64) {
        self.rawValue = rawValue
    }

    /// `UFFDIO_REGISTER`.
    public static let register = Ioctls(rawValue: 1 << 0x00)
    /// `UFFDIO_UNREGISTER`.
    public static let unregister = Ioctls(rawValue: 1 << 0x01)
    /// `UFFDIO_WAKE`.
    public static let wake = Ioctls(rawValue: 1 << 0x02)
    /// `UFFDIO_COPY`.
    public static let copy = Ioctls(rawValue: 1 << 0x03)
    /// `UFFDIO_ZEROPAGE`.
    public static let zeropage = Ioctls(rawValue: 1 << 0x04)
    /// `UFFDIO_MOVE`.
    public static let move = Ioctls(rawValue: 1 << 0x05)
    /// `UFFDIO_WRITEPROTECT`.
    public static let writeProtect = Ioctls(rawValue: 1 << 0x06)
    /// `UFFDIO_CONTINUE`.
    public static let `continue` = Ioctls(rawValue: 1 << 0x07)
    /// `UFFDIO_POISON`.
    public static let poison = Ioctls(rawValue: 1 << 0x08)
    /// `UFFDIO_RWPROTECT` (rule G4).
    public static let readWriteProtect = Ioctls(rawValue: 1 << 0x09)
    /// `UFFDIO_SET_MODE` (rule N1).
    public static let setMode = Ioctls(rawValue: 1 << 0x0A)
    /// `UFFDIO_API`.
    public static let api = Ioctls(rawValue: 1 << 0x3F)
}

/// Flags of a page-fault message (`uffd_msg.arg.pagefault.flags`).
public struct FaultFlags: OptionSet, Sendable, Equatable {
    /// The bits.
    public let rawValue: UInt64

    /// Makes a set of raw bits.
    public init(rawValue: UInt64) {
        self.rawValue = rawValue
    }

    /// The access was a write.
    public static let write = FaultFlags(rawValue: 1 << 0)
    /// The page is write-protected.
    public static let writeProtect = FaultFlags(rawValue: 1 << 1)
    /// The page is in the page cache and has no page-table entry.
    public static let minor = FaultFlags(rawValue: 1 << 2)
    /// The page is armed (rule F1).
    public static let readWriteProtect = FaultFlags(rawValue: 1 << 3)
}
