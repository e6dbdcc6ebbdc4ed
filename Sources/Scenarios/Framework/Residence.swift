// SPDX-License-Identifier: GPL-2.0-only

import CUserfaultfd
import Userfaultfd

/// Where a memory's pages are, and how to move them.
extension Memory {
    /// The pagemap entry of a page (the first base page of a huge one).
    public func entry(_ page: Int) throws(Failure) -> PagemapEntry {
        let pagemap = try Pagemap()
        defer { pagemap.close() }
        return try pagemap.entry(address(page))
    }

    /// Whether all of these pages are mapped huge, as PAGEMAP_SCAN says.
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

    /// Swaps these pages out (MADV_PAGEOUT) and makes sure that they are: the kernel may refuse a page for a moment
    /// (another CPU's LRU batch holds it), so this asks again until the scenario's watchdog ends it.
    public func swapOut(_ pages: Range<Int>) throws(Failure) {
        let pageout: Int32 = 21  // MADV_PAGEOUT, 5.4
        for page in pages {
            while try entry(page).isPresent {
                try advise(self.page(page), pageout)
            }
        }
    }
}
