// SPDX-License-Identifier: GPL-2.0-only

import CUserfaultfd
import Userfaultfd

/// A mapping of one kind of memory, in pages of that kind.
///
/// Its mapping begins unpopulated. Every page can be filled with a pattern that names the page, and checked for it.
/// Nothing unmaps it but `unmap()` and the end of the process.
public struct Memory: Sendable {
    /// What it is made of.
    public let kind: MemoryKind
    /// The size of a page of this kind in bytes: the base page, or the huge page of hugetlb. A THP kind counts base
    /// pages; `hugePages` tells where its huge ones are.
    public let pageSize: UInt
    /// How many pages there are.
    public let pages: Int
    /// How many pages one page-table entry maps: those of a huge page for THP kinds, else one.
    public let pagesPerChunk: Int
    /// What its mappings begin at a multiple of, in bytes.
    let alignment: UInt
    /// The addresses.
    public var range: AddressRange
    /// The memfd, -1 for anonymous memory.
    public let descriptor: Int32

    /// Maps at least `pages` pages; a THP kind is rounded up to whole, aligned huge pages.
    public init(_ kind: MemoryKind, pages wanted: Int) throws(Failure) {
        let unit = kind.isTHP || kind.isHugetlb ? try Memory.hugePageSize(kind) : basePageSize
        let length = (UInt(wanted) * (kind.isHugetlb ? unit : basePageSize) + unit - 1) / unit * unit
        try self.init(kind, length: length, unit: unit, alignment: unit)
    }

    /// Maps as many pages as a whole page table has entries, or with `level` 2 a directory of page tables, at its place;
    /// or `count` times as many. For base pages and hugetlb, of which nothing is reserved.
    init(_ kind: MemoryKind, tables level: UInt, count: UInt = 1) throws(Failure) {
        let unit = kind.isHugetlb ? try Memory.hugePageSize(kind) : basePageSize
        var size = unit
        for _ in 0..<level { size *= basePageSize / UInt(MemoryLayout<UInt>.size) }
        try self.init(kind, length: size * count, unit: unit, alignment: size, flags: MAP_NORESERVE)
    }

    /// Maps one huge page of `giganticPageSize` bytes.
    init(gigantic kind: MemoryKind) throws(Failure) {
        let size = Memory.giganticPageSize
        try self.init(kind, length: size, unit: size, alignment: size)
    }

    private init(_ kind: MemoryKind, length: UInt, unit: UInt, alignment: UInt, flags: Int32 = 0) throws(Failure) {
        self.kind = kind
        self.alignment = alignment
        pageSize = kind.isHugetlb ? unit : basePageSize
        pages = Int(length / pageSize)
        pagesPerChunk = Int((kind.isTHP ? unit : pageSize) / pageSize)
        descriptor = kind.isAnonymous ? -1 : try Memory.file(kind, length: length, pageSize: pageSize)
        range = AddressRange(start: try Memory.reserve(length, alignment: alignment), length: length)
        try map(at: range.start, flags: flags)
    }

    /// Maps a file of somebody's, in base pages, as memory of a file's kind; `unmap()` closes it.
    public init(_ kind: MemoryKind, pages: Int, of file: Int32) throws(Failure) {
        let length = UInt(pages) * basePageSize
        (self.kind, self.pages, pageSize, pagesPerChunk) = (kind, pages, basePageSize, 1)
        alignment = basePageSize
        descriptor = file
        range = AddressRange(start: try Memory.reserve(length, alignment: basePageSize), length: length)
        try map(at: range.start)
    }

    private init(_ other: Memory, at range: AddressRange) {
        kind = other.kind
        pageSize = other.pageSize
        pages = other.pages
        pagesPerChunk = other.pagesPerChunk
        descriptor = other.descriptor
        alignment = other.alignment
        self.range = range
    }

    /// A second mapping of the same file: shared, for a monitor's view of it, or private. Fails for anonymous memory.
    public func alias(shared: Bool = true) throws(Failure) -> Memory {
        guard descriptor >= 0 else { throw Failure("anonymous memory has no second mapping") }
        let start = try Memory.reserve(range.length, alignment: alignment)
        let flags = (shared ? MAP_SHARED : MAP_PRIVATE) | MAP_FIXED
        try checked("mmap", cuffd_mmap(start, range.length, PROT_READ | PROT_WRITE, flags, descriptor, 0))
        return Memory(self, at: AddressRange(start: start, length: range.length))
    }

    /// The same pages at another address, after an mremap(2) of the whole.
    public func moved(to start: UInt) -> Memory {
        Memory(self, at: AddressRange(start: start, length: range.length))
    }

    /// The address of a page.
    public func address(_ page: Int) -> UInt {
        range.start + UInt(page) * pageSize
    }

    /// The range of one page.
    @inline(never)
    public func page(_ page: Int) -> AddressRange {
        AddressRange(start: address(page), length: pageSize)
    }

    /// The range of some pages.
    @inline(never)
    public func pages(_ pages: Range<Int>) -> AddressRange {
        AddressRange(start: address(pages.lowerBound), length: UInt(pages.count) * pageSize)
    }

    /// Unmaps it and closes its file.
    @inline(never)
    public func unmap() throws(Failure) {
        if munmap(UnsafeMutableRawPointer(bitPattern: range.start), Int(range.length)) != 0 {
            throw Failure(call: "munmap", code: cuffd_errno())
        }
        if descriptor >= 0 { _ = close(descriptor) }
    }

    /// mprotect(2) of a range of it.
    @inline(never)
    public func protect(_ part: AddressRange, _ protection: Int32) throws(Failure) {
        if mprotect(UnsafeMutableRawPointer(bitPattern: part.start), Int(part.length), protection) != 0 {
            throw Failure(call: "mprotect", code: cuffd_errno())
        }
    }

    /// madvise(2) of a range of it.
    @inline(never)
    public func advise(_ part: AddressRange, _ advice: Int32) throws(Failure) {
        if madvise(UnsafeMutableRawPointer(bitPattern: part.start), Int(part.length), advice) != 0 {
            throw Failure(call: "madvise \(advice)", code: cuffd_errno())
        }
    }

    /// Punches a hole into the file under a range of it (fallocate(2)).
    @inline(never)
    public func punchHole(_ part: AddressRange) throws(Failure) {
        try Memory.punchHole(into: descriptor, at: Int(part.start - range.start), Int(part.length))
    }

    /// Punches a hole of so many bytes into a file.
    static func punchHole(into file: Int32, at offset: Int, _ length: Int) throws(Failure) {
        if fallocate(file, FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE, offset, length) != 0 {
            throw Failure(call: "fallocate", code: cuffd_errno())
        }
    }

    private func map(at start: UInt, flags: Int32 = 0) throws(Failure) {
        let sharing = kind.isShared ? MAP_SHARED : kind.isAnonymous ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_PRIVATE
        let all = sharing | MAP_FIXED | flags
        try checked("mmap", cuffd_mmap(start, range.length, PROT_READ | PROT_WRITE, all, descriptor, 0))
        if kind.isHugetlb { return }
        try advise(range, kind.isTHP ? MADV_HUGEPAGE : MADV_NOHUGEPAGE)
    }

    /// Finds room for `length` bytes at a multiple of `alignment` and leaves an inaccessible mapping there.
    private static func reserve(_ length: UInt, alignment: UInt) throws(Failure) -> UInt {
        let flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE
        // Room on both sides keeps the mapping from merging with a neighbour's VMA.
        let whole = length + 2 * alignment
        let start = UInt(try checked("mmap", cuffd_mmap(0, whole, PROT_NONE, flags, -1, 0)))
        return (start + 2 * alignment - 1) / alignment * alignment
    }

    /// A memfd of whole pages; the flags of a hugetlb one name the page's size, as memfd_create(2) has it.
    private static func file(_ kind: MemoryKind, length: UInt, pageSize: UInt) throws(Failure) -> Int32 {
        let (hugetlbFlag, sizeShift): (UInt32, UInt32) = (0x0004, 26)
        let flags = kind.isHugetlb ? hugetlbFlag | UInt32(pageSize.trailingZeroBitCount) << sizeShift : 0
        let descriptor = memfd_create("uffd-selftest", flags)
        if descriptor < 0 { throw Failure(call: "memfd_create", code: cuffd_errno()) }
        if ftruncate(descriptor, Int(length)) != 0 { throw Failure(call: "ftruncate", code: cuffd_errno()) }
        return descriptor
    }

    /// The size in bytes of a huge page that an entry of the page table's third level maps, on x86_64 and on arm64 with
    /// base pages of 4 KiB.
    static let giganticPageSize: UInt = 1 << 30

    /// The size in bytes of the huge page that a kind uses: the default one of hugetlb, or the PMD-sized THP.
    public static func hugePageSize(_ kind: MemoryKind) throws(Failure) -> UInt {
        if !kind.isHugetlb {
            return UInt(try FileAccess.number("/sys/kernel/mm/transparent_hugepage/hpage_pmd_size"))
        }
        for line in try FileAccess.lines("/proc/meminfo") {
            let words = line.words
            if words.count >= 2, words[0].isSame(as: "Hugepagesize:"), let size = words[1].number {
                return UInt(size) << 10
            }
        }
        throw Failure("/proc/meminfo tells no Hugepagesize")
    }
}
