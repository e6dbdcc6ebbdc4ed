// SPDX-License-Identifier: GPL-2.0-only

import Userfaultfd

/// A memory in chunks: the units that one page-table entry maps.
///
/// A chunk is the huge page of a THP or hugetlb kind, and the base page of the others.
extension Memory {
    /// Maps so many chunks.
    public init(_ kind: MemoryKind, chunks: Int) throws(Failure) {
        let perChunk = kind.isTHP ? Int(try Memory.hugePageSize(kind) / basePageSize) : 1
        try self.init(kind, pages: chunks * perChunk)
    }

    /// How many chunks there are.
    public var chunkCount: Int { pages / pagesPerChunk }

    /// The size of a chunk in bytes.
    public var chunkSize: UInt { UInt(pagesPerChunk) * pageSize }

    /// The first page of a chunk.
    @inline(never)
    public func firstPage(_ chunk: Int) -> Int { chunk * pagesPerChunk }

    /// The range of one chunk.
    @inline(never)
    public func chunk(_ chunk: Int) -> AddressRange { chunks(chunk..<(chunk + 1)) }

    /// The range of some chunks.
    @inline(never)
    public func chunks(_ chunks: Range<Int>) -> AddressRange {
        pages(pageNumbers(chunks))
    }

    /// The pages of some chunks.
    @inline(never)
    public func pageNumbers(_ chunks: Range<Int>) -> Range<Int> {
        (chunks.lowerBound * pagesPerChunk)..<(chunks.upperBound * pagesPerChunk)
    }
}
