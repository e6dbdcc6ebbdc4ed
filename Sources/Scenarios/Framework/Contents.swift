// SPDX-License-Identifier: GPL-2.0-only

import CUserfaultfd
import Userfaultfd

/// What is in a memory's pages.
///
/// The pattern of a page is a word at the start and the end of every base page in it, made of the page's number, the
/// place and a seed: a page that is lost, swapped with another or half-copied is noticed.
extension Memory {
    /// Reads the byte at `offset` of a page.
    @discardableResult
    public func load(_ page: Int, offset: UInt = 0) -> UInt8 {
        cuffd_load8(address(page) + offset)
    }

    /// Writes the byte at `offset` of a page.
    public func store(_ page: Int, offset: UInt = 0, _ value: UInt8) {
        cuffd_store8(address(page) + offset, value)
    }

    /// Fills every page with its pattern, which populates it.
    public func fill(seed: UInt64 = 1) {
        fill(0..<pages, seed: seed)
    }

    /// Fills some pages with their patterns.
    public func fill(_ pages: Range<Int>, seed: UInt64 = 1) {
        for page in pages {
            eachWord(page) { address, place in cuffd_store64(address, Memory.word(page, place, seed)) }
        }
    }

    /// Fills some pages with zeroes, which populates them.
    public func fillWithZeroes(_ pages: Range<Int>) {
        for page in pages {
            eachWord(page) { address, _ in cuffd_store64(address, 0) }
        }
    }

    /// Fails unless every page has the pattern of `seed`. Reads all of them: armed pages trap.
    public func check(seed: UInt64 = 1, _ when: @autoclosure () -> String) throws(Failure) {
        try check(0..<pages, seed: seed, when())
    }

    /// Fails unless these pages have the pattern of `seed`. Reads all of them: armed pages trap.
    @inline(never)
    public func check(_ pages: Range<Int>, seed: UInt64 = 1, _ when: @autoclosure () -> String) throws(Failure) {
        if let wrong = firstDifference(pages, seed: seed) { throw Failure("\(when()): \(wrong)") }
    }

    /// Fails unless these pages are all zeroes. Reads all of them.
    @inline(never)
    public func checkZeroes(_ pages: Range<Int>, _ when: @autoclosure () -> String) throws(Failure) {
        if let wrong = firstNonZero(pages) { throw Failure("\(when()): \(wrong)") }
    }

    /// What is wrong with the first page that has not its pattern; all words of it are read all the same.
    @inline(never)
    private func firstDifference(_ pages: Range<Int>, seed: UInt64) -> String? {
        for page in pages {
            var wrong: (place: UInt, got: UInt64)?
            eachWord(page) { address, place in
                let got = cuffd_load64(address)
                if wrong == nil && got != Memory.word(page, place, seed) { wrong = (place, got) }
            }
            guard let wrong else { continue }
            let expected = Memory.word(page, wrong.place, seed)
            return "page \(page) of \(kind.name) has \(hex(UInt(wrong.got))) at offset \(wrong.place),"
                + " expected \(hex(UInt(expected)))"
        }
        return nil
    }

    @inline(never)
    private func firstNonZero(_ pages: Range<Int>) -> String? {
        for page in pages {
            var dirty: UInt?
            eachWord(page) { address, place in
                if cuffd_load64(address) != 0 { dirty = place }
            }
            if let dirty { return "page \(page) of \(kind.name) is not zero at offset \(dirty)" }
        }
        return nil
    }

    /// The first words of a page's pattern in a buffer of the page's size, as a source for `UFFDIO_COPY`.
    public func pattern(of page: Int, seed: UInt64 = 1) throws(Failure) -> Memory {
        let source = try Memory(.anon, pages: Int(pageSize / basePageSize))
        var offset: UInt = 0
        while offset < pageSize {
            for place in [offset, offset + basePageSize - 8] {
                cuffd_store64(source.range.start + place, Memory.word(page, place, seed))
            }
            offset += basePageSize
        }
        return source
    }

    private func eachWord(_ page: Int, _ body: (_ address: UInt, _ place: UInt) -> Void) {
        let start = address(page)
        var offset: UInt = 0
        while offset < pageSize {
            body(start + offset, offset)
            body(start + offset + basePageSize - 8, offset + basePageSize - 8)
            offset += basePageSize
        }
    }

    private static func word(_ page: Int, _ place: UInt, _ seed: UInt64) -> UInt64 {
        (seed &* 0x9E37_79B9_7F4A_7C15) ^ (UInt64(page) << 24) ^ UInt64(place) | 1
    }
}
