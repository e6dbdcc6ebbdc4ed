// SPDX-License-Identifier: GPL-2.0-only

import CUserfaultfd
import Userfaultfd

/// Where a memory's pages are, and how to move them.
extension Memory {
    /// The pagemap entry of a page (the first base page of a huge one).
    @inline(never)
    public func entry(_ page: Int) throws(Failure) -> PagemapEntry {
        let pagemap = try Pagemap()
        defer { pagemap.close() }
        return try pagemap.entry(address(page))
    }

    /// The first of these pages whose entry is so, read all at once.
    public func first(of pages: Range<Int>, where isSo: (PagemapEntry) -> Bool) throws(Failure) -> Int? {
        let pagemap = try Pagemap()
        defer { pagemap.close() }
        let entries = try pagemap.entries(self.pages(pages))
        let step = Int(pageSize / basePageSize)
        return pages.first { isSo(entries[($0 - pages.lowerBound) * step]) }
    }

    /// Whether all of these pages are mapped huge, as PAGEMAP_SCAN says.
    @inline(never)
    public func isHuge(_ pages: Range<Int>) throws(Failure) -> Bool {
        let part = self.pages(pages)
        let pagemap = try Pagemap()
        defer { pagemap.close() }
        let result = try pagemap.scan(part, ScanQuery(all: [.huge], report: [.huge]))
        var length: UInt = 0
        for region in result.regions { length += region.range.length }
        return length == part.length
    }

    /// Fills every page and, for a THP kind, makes sure that it is mapped huge: khugepaged or fragmentation must not
    /// turn a scenario about huge pages into one about small ones.
    public func populate(seed: UInt64 = 1) throws(Failure) {
        fill(seed: seed)
        guard kind.isTHP, try !isHuge(0..<pages) else { return }
        let collapse: Int32 = 25  // MADV_COLLAPSE, 6.1
        try advise(range, collapse)
        if try !isHuge(0..<pages) { throw Failure("\(kind.name): no huge page to be had (memory is fragmented?)") }
    }

    /// Asks for these pages to be made huge (MADV_COLLAPSE); whether it is refused is the kernel's business, and the
    /// state tells.
    func tryCollapse(_ pages: Range<Int>) {
        let collapse: Int32 = 25  // MADV_COLLAPSE, 6.1
        let range = self.pages(pages)
        _ = madvise(UnsafeMutableRawPointer(bitPattern: range.start), Int(range.length), collapse)
    }

    /// Maps base pages where huge ones could be: as many as are in these, and aligned as they would be.
    @inline(never)
    static func collapsible(_ kind: MemoryKind, huge: Int = 1) throws(Failure) -> Memory {
        let room = try Memory(.anonTHP, chunks: huge)
        return try Memory(kind, pages: room.pages).remapped(to: room.range.start)
    }

    /// A second mapping of a file that `collapsible(_:huge:)` mapped, in which huge pages are wanted (MADV_HUGEPAGE).
    @inline(never)
    func collapsibleAlias() throws(Failure) -> Memory {
        let room = try Memory(.anonTHP, pages: pages)
        let other = try alias().remapped(to: room.range.start)
        try other.advise(other.range, MADV_HUGEPAGE)
        return other
    }

    /// Swaps these pages out (MADV_PAGEOUT) and makes sure that they are. The kernel leaves a page that is in some CPU's
    /// batch on its way to the LRU lists, and drains the calling CPU's batches only; so this asks from each CPU in turn,
    /// until the scenario's watchdog ends it.
    public func swapOut(_ pages: Range<Int>) throws(Failure) {
        let pageout: Int32 = 21  // MADV_PAGEOUT, 5.4
        let home = try Affinity()
        for page in pages {
            var turn = 0
            while try entry(page).isPresent {
                try advise(self.page(page), pageout)
                guard try entry(page).isPresent else { break }
                try home.only(turn).apply()
                turn += 1
            }
        }
        try home.apply()
    }
}

/// The CPUs that the calling thread may run on (sched_setaffinity(2)).
struct Affinity: Sendable {
    /// A bit for each CPU, up to 1024 as in glibc's `cpu_set_t`.
    private var words: [UInt64]

    /// The CPUs as they are.
    init() throws(Failure) {
        words = [UInt64](repeating: 0, count: 16)
        var code = 0
        words.withUnsafeMutableBufferPointer { buffer in
            let address = Int(bitPattern: buffer.baseAddress)
            code = cuffd_syscall(Int(SYS_sched_getaffinity), 0, buffer.count * 8, address, 0, 0, 0)
        }
        try checked("sched_getaffinity", code)
    }

    /// One of these CPUs; each has its turn.
    func only(_ turn: Int) -> Affinity {
        let cpus = (0..<(words.count * 64)).filter { words[$0 / 64] >> UInt64($0 % 64) & 1 == 1 }
        let cpu = cpus[turn % cpus.count]
        var one = self
        one.words = [UInt64](repeating: 0, count: words.count)
        one.words[cpu / 64] = 1 << UInt64(cpu % 64)
        return one
    }

    /// Moves the calling thread to these CPUs.
    func apply() throws(Failure) {
        var code = 0
        words.withUnsafeBufferPointer { buffer in
            let address = Int(bitPattern: buffer.baseAddress)
            code = cuffd_syscall(Int(SYS_sched_setaffinity), 0, buffer.count * 8, address, 0, 0, 0)
        }
        try checked("sched_setaffinity", code)
    }
}
