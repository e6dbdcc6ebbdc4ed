// SPDX-License-Identifier: GPL-2.0-only

import CUserfaultfd

/// One entry of /proc/PID/pagemap (`Documentation/admin-guide/mm/pagemap.rst`).
public struct PagemapEntry: Sendable, Equatable {
    /// The 64 bits.
    public let bits: UInt64

    /// Bit 63: the page is in memory and mapped.
    public var isPresent: Bool { bits >> 63 & 1 == 1 }
    /// Bit 62: the page is swapped out (or is being migrated).
    public var isSwapped: Bool { bits >> 62 & 1 == 1 }
    /// Bit 61: a file page or shared anonymous memory.
    public var isFile: Bool { bits >> 61 & 1 == 1 }
    /// Bit 57, `PM_UFFD_WP` (rule S1): write-protected in a WP VMA, armed in an RWP VMA.
    public var isUffd: Bool { bits >> 57 & 1 == 1 }
    /// Bit 56: mapped here alone.
    public var isExclusive: Bool { bits >> 56 & 1 == 1 }
    /// Bit 55: soft-dirty.
    public var isSoftDirty: Bool { bits >> 55 & 1 == 1 }
    /// Bits 0 to 54 of a present page: its frame's number; 0 without CAP_SYS_ADMIN.
    public var frame: UInt64 { isPresent ? bits & ((1 << 55) - 1) : 0 }
}

/// Categories of PAGEMAP_SCAN (`PAGE_IS_…`).
public struct PageCategories: OptionSet, Sendable, Equatable {
    /// The bits.
    public let rawValue: UInt64

    /// Makes a set of raw bits.
    public init(rawValue: UInt64) {
        self.rawValue = rawValue
    }

    /// In a VMA registered for asynchronous write protection.
    public static let writeProtectAllowed = PageCategories(rawValue: 1 << 0)
    /// Written to since it was write-protected (rule S2: in WP VMAs alone).
    public static let written = PageCategories(rawValue: 1 << 1)
    /// A file page.
    public static let file = PageCategories(rawValue: 1 << 2)
    /// In memory.
    public static let present = PageCategories(rawValue: 1 << 3)
    /// Swapped out.
    public static let swapped = PageCategories(rawValue: 1 << 4)
    /// The zero page.
    public static let zeroPage = PageCategories(rawValue: 1 << 5)
    /// Mapped huge: by a PMD, or hugetlb.
    public static let huge = PageCategories(rawValue: 1 << 6)
    /// Soft-dirty.
    public static let softDirty = PageCategories(rawValue: 1 << 7)
    /// A guard region.
    public static let `guard` = PageCategories(rawValue: 1 << 8)
    /// Accessed since it was armed (rule S2: in RWP VMAs alone).
    public static let accessed = PageCategories(rawValue: 1 << 9)
}

/// A run of pages with the same categories, as PAGEMAP_SCAN reports it.
public struct PageRegion: Sendable, Equatable {
    /// The addresses.
    public let range: AddressRange
    /// What all of its pages are, within the return mask.
    public let categories: PageCategories

    /// Describes a region, to compare a scan's with.
    public init(range: AddressRange, categories: PageCategories) {
        self.range = range
        self.categories = categories
    }
}

/// What a PAGEMAP_SCAN found.
public struct ScanResult: Sendable {
    /// The regions, by address.
    public let regions: [PageRegion]
    /// Where the walk ended (`walk_end`): the end of the range, unless the vector or `max_pages` was full.
    public let walkEnd: UInt
}

/// What a PAGEMAP_SCAN asks (`struct pm_scan_arg`).
public struct ScanQuery: Sendable {
    /// Categories whose sense is inverted.
    public var inverted: PageCategories = []
    /// All of these must hold.
    public var all: PageCategories = []
    /// One of these must hold; none: no condition.
    public var any: PageCategories = []
    /// What is reported.
    public var report: PageCategories
    /// Stop after so many pages; 0 is no limit.
    public var maxPages: UInt64 = 0
    /// How many regions the vector takes; 0 is no vector, for a scan that only write-protects.
    public var capacity = 4096
    /// `PM_SCAN_WP_MATCHING`: write-protect what matches.
    public var writeProtectMatching = false
    /// `PM_SCAN_CHECK_WPASYNC`: fail with EPERM on a VMA without asynchronous write protection.
    public var checkWriteProtectAsync = false

    /// A query that reports `report` for every page for which all of `all` hold.
    public init(all: PageCategories = [], report: PageCategories) {
        self.all = all
        self.report = report
    }
}

/// /proc/PID/pagemap, open.
public struct Pagemap: Sendable {
    private let descriptor: Int32

    /// Opens the map of a process; nil is the calling one.
    @inline(never)
    public init(process: Int32? = nil) throws(Failure) {
        let path = process.map { "/proc/\($0)/pagemap" } ?? "/proc/self/pagemap"
        descriptor = try checked("open of \(path)", cuffd_open(path, O_RDONLY, 0))
    }

    /// Closes the file.
    public func close() {
        _ = CUserfaultfd.close(descriptor)
    }

    /// The entry of the page at `address`.
    @inline(never)
    public func entry(_ address: UInt) throws(Failure) -> PagemapEntry {
        var bits: UInt64 = 0
        let count = pread(descriptor, &bits, 8, Int(address / basePageSize) * 8)
        if count != 8 { throw Failure(call: "read of pagemap", code: count < 0 ? cuffd_errno() : EIO) }
        return PagemapEntry(bits: bits)
    }

    /// The entries of the base pages of a range, by one system call.
    public func entries(_ range: AddressRange) throws(Failure) -> [PagemapEntry] {
        var bits = [UInt64](repeating: 0, count: Int(range.length / basePageSize))
        let wanted = bits.count * 8
        let count = pread(descriptor, &bits, wanted, Int(range.start / basePageSize) * 8)
        if count != wanted { throw Failure(call: "read of pagemap", code: count < 0 ? cuffd_errno() : EIO) }
        return bits.map { PagemapEntry(bits: $0) }
    }

    /// The PAGEMAP_SCAN ioctl over a range (rules S2, S3).
    public func scan(_ range: AddressRange, _ query: ScanQuery) throws(Failure) -> ScanResult {
        var vector = [page_region](repeating: page_region(), count: query.capacity)
        var walkEnd: UInt = 0
        var code: Int32 = 0
        vector.withUnsafeMutableBufferPointer { buffer in
            var argument = pm_scan_arg(
                size: UInt64(MemoryLayout<pm_scan_arg>.size),
                flags: (query.writeProtectMatching ? 1 : 0) | (query.checkWriteProtectAsync ? 2 : 0),
                start: UInt64(range.start),
                end: UInt64(range.end),
                walk_end: 0,
                vec: query.capacity == 0 ? 0 : UInt64(UInt(bitPattern: buffer.baseAddress)),
                vec_len: UInt64(buffer.count),
                max_pages: query.maxPages,
                category_inverted: query.inverted.rawValue,
                category_mask: query.all.rawValue,
                category_anyof_mask: query.any.rawValue,
                return_mask: query.report.rawValue
            )
            code = cuffd_ioctl(descriptor, CUFFD_PAGEMAP_SCAN, &argument)
            walkEnd = UInt(argument.walk_end)
        }
        let count = Int(try checked("PAGEMAP_SCAN \(range.words)", code))
        let regions = vector[0..<count].map { region in
            PageRegion(
                range: AddressRange(start: UInt(region.start), length: UInt(region.end - region.start)),
                categories: PageCategories(rawValue: region.categories)
            )
        }
        return ScanResult(regions: regions, walkEnd: walkEnd)
    }
}

/// The size of a base page in bytes (sysconf(3)).
public let basePageSize = UInt(sysconf(Int32(_SC_PAGESIZE)))
