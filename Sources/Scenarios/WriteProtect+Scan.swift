// SPDX-License-Identifier: GPL-2.0-only

import CUserfaultfd
import Userfaultfd

/// PAGEMAP_SCAN over asynchronously tracked memory: what it finds, what it protects, where it stops.
extension WriteProtect {
    static let scanning: [Scenario] = [
        scan("wp-scan-regions", "Written pages come as regions, neighbours in one, with the reported categories alone.")
        {
            (tracked, pagemap) throws(Failure) in
            for page in [0, 1, 3] { tracked.memory.store(page, 1) }
            let query = ScanQuery(all: [.written], report: [.written])
            let regions = try pagemap.scan(tracked.memory.range, query).regions
            let expected = [
                PageRegion(range: tracked.memory.pages(0..<2), categories: .written),
                PageRegion(range: tracked.memory.page(3), categories: .written),
            ]
            try tracked.context.expect(regions == expected, "regions are \(regions.count), or not as expected")
        },
        scan("wp-scan-matching", "WP_MATCHING reports what was written and protects it again, in one step.") {
            (tracked, pagemap) throws(Failure) in
            let range = tracked.memory.range
            for page in 1..<3 { tracked.memory.store(page, 1) }
            var query = ScanQuery(all: [.written], report: [.written])
            query.writeProtectMatching = true
            let first = tracked.memory.pageNumbers(try pagemap.scan(range, query).regions)
            try tracked.context.expect(first == [1, 2], "the first scan found \(listed(first))")
            try tracked.expectProtected(0..<tracked.memory.pages, "after WP_MATCHING")
            let second = tracked.memory.pageNumbers(try pagemap.scan(range, query).regions)
            try tracked.context.expect(second == [], "the second scan found \(listed(second))")
            try tracked.expectNoTrap(2)
            try tracked.expectWritten([2], "after one more write")
        },
        scan("wp-scan-matching-all", "WP_MATCHING of memory that was never protected protects all that is populated.") {
            (tracked, pagemap) throws(Failure) in
            try tracked.resolve()
            try tracked.memory.check("populated")
            let all = Array(0..<tracked.memory.pages)
            try tracked.expectWritten(all, "before WP_MATCHING")
            var query = ScanQuery(all: [.written], report: [.written])
            query.writeProtectMatching = true
            let found = tracked.memory.pageNumbers(try pagemap.scan(tracked.memory.range, query).regions)
            try tracked.context.expect(found == all, "the scan found \(listed(found))")
            try tracked.expectWritten([], "after WP_MATCHING")
            try tracked.memory.check("after WP_MATCHING")
            try tracked.expectNoTrap(3)
            try tracked.expectWritten([3], "after one write")
        },
        scan("wp-scan-matching-part", "WP_MATCHING of a part protects that part alone, of a huge page too.") {
            (tracked, pagemap) throws(Failure) in
            try tracked.resolve()
            try tracked.memory.check("populated")
            var query = ScanQuery(all: [.written], report: [.written])
            query.writeProtectMatching = true
            let found = tracked.memory.pageNumbers(try pagemap.scan(tracked.memory.pages(1..<3), query).regions)
            try tracked.context.expect(found == [1, 2], "the scan found \(listed(found))")
            try tracked.expectProtected(1..<3, "after WP_MATCHING of two pages")
            try tracked.memory.check("after WP_MATCHING of two pages")
        },
        scan(
            "wp-scan-unmapped",
            "A page that is not mapped is a written one, whatever else a scan asks for.",
            on: MemoryKind.withoutHugetlb
        ) {
            (tracked, pagemap) throws(Failure) in
            try tracked.uffd.writeProtect(tracked.memory.page(2), false)
            try tracked.memory.advise(tracked.memory.page(2), MADV_DONTNEED)
            for report: PageCategories in [.written, [.written, .present]] {
                let hole = tracked.memory.page(2)
                let found = try pagemap.scan(hole, ScanQuery(all: [.written], report: report)).regions
                try tracked.context.expect(
                    found == [PageRegion(range: hole, categories: .written)],
                    "a scan that reports \(report.rawValue) finds \(found.count) regions, or not as expected"
                )
            }
        },
        scan("wp-scan-inverted", "An inverted category matches what lacks it.") { (tracked, pagemap) throws(Failure) in
            for page in [0, 2] { tracked.memory.store(page, 1) }
            try tracked.memory.check(1..<2, "populated")
            var query = ScanQuery(all: [.written], report: [.present])
            query.inverted = [.written]
            let found = tracked.memory.pageNumbers(try pagemap.scan(tracked.memory.pages(0..<4), query).regions)
            try tracked.context.expect(found == [1, 3], "the scan found \(listed(found))")
        },
        scan("wp-scan-any", "Any-of matches pages with one of the categories, and those with all-of besides.") {
            (tracked, pagemap) throws(Failure) in
            tracked.memory.store(1, 1)
            let part = tracked.memory.pages(0..<4)
            var query = ScanQuery(report: [.written])
            query.any = [.written, .swapped]
            if !tracked.memory.kind.isShared {
                let found = tracked.memory.pageNumbers(try pagemap.scan(part, query).regions)
                try tracked.context.expect(found == [1], "any-of found \(listed(found))")
            }
            query.any = [.written, .present]
            query.all = [.written]
            let both = tracked.memory.pageNumbers(try pagemap.scan(part, query).regions)
            try tracked.context.expect(both == [1], "any-of and all-of found \(listed(both))")
        },
        scan(
            "wp-scan-check-async",
            "CHECK_WPASYNC: EPERM where memory is not tracked asynchronously; success where it is."
        ) {
            (tracked, pagemap) throws(Failure) in
            var query = ScanQuery(all: [.written], report: [.written])
            query.checkWriteProtectAsync = true
            _ = try pagemap.scan(tracked.memory.range, query)
            let plain = try Memory(.anon, pages: 2)
            plain.fill()
            try tracked.context.expectErrno(.notPermitted, "unregistered memory") { () throws(Failure) in
                _ = try pagemap.scan(plain.range, query)
            }
            let uffd = try Userfaultfd(features: Tracked.features)
            try uffd.register(plain.range, .writeProtect)
            try tracked.context.expectErrno(.notPermitted, "synchronous memory") { () throws(Failure) in
                _ = try pagemap.scan(plain.range, query)
            }
            query.checkWriteProtectAsync = false
            query.writeProtectMatching = true
            let skipped = try pagemap.scan(plain.range, query).regions
            try tracked.context.expect(skipped.isEmpty, "WP_MATCHING did not skip synchronous memory")
            try plain.expectUffdBit(on: 0..<0, tracked.context, "after WP_MATCHING of synchronous memory")
        },
        scan("wp-scan-allowed", "WPALLOWED is reported of asynchronously tracked memory, and of no other.") {
            (tracked, pagemap) throws(Failure) in
            let query = ScanQuery(all: [.writeProtectAllowed], report: [.writeProtectAllowed])
            let all = Array(0..<tracked.memory.pages)
            try tracked.memory.check("populated")
            let found = tracked.memory.pageNumbers(try pagemap.scan(tracked.memory.range, query).regions)
            try tracked.context.expect(found == all, "the scan found \(listed(found))")
            try tracked.uffd.unregister(tracked.memory.range)
            let none = try pagemap.scan(tracked.memory.range, query).regions
            try tracked.context.expect(none.isEmpty, "WPALLOWED outlived the registration")
        },
    ]

    static let scanningLimits: [Scenario] = [
        scan("wp-scan-max-pages", "max_pages stops the walk at that many pages; the rest begins at walk_end.") {
            (tracked, pagemap) throws(Failure) in
            let unit = tracked.memory.pageSize / basePageSize
            for page in 0..<4 { tracked.memory.store(page, 1) }
            var query = ScanQuery(all: [.written], report: [.written])
            query.maxPages = UInt64(3 * unit)
            let part = tracked.memory.pages(0..<4)
            let first = try pagemap.scan(part, query)
            let found = tracked.memory.pageNumbers(first.regions)
            try tracked.context.expect(found == [0, 1, 2], "the first scan found \(listed(found))")
            try tracked.context.expectEqual(first.walkEnd, tracked.memory.address(3), "walk_end of the first scan")
            let rest = AddressRange(start: first.walkEnd, length: part.end - first.walkEnd)
            let second = try pagemap.scan(rest, query)
            try tracked.context.expect(tracked.memory.pageNumbers(second.regions) == [3], "the rest is not page 3")
            try tracked.context.expectEqual(second.walkEnd, part.end, "walk_end of the second scan")
        },
        scan("wp-scan-short-vector", "A full vector stops the walk; going on at walk_end finds each page once.") {
            (tracked, pagemap) throws(Failure) in
            for page in [0, 2, 4, 6] { tracked.memory.store(page, 1) }
            var query = ScanQuery(all: [.written], report: [.written])
            query.capacity = 1
            query.writeProtectMatching = true
            var rest = tracked.memory.range
            var found: [Int] = []
            var calls = 0
            while rest.length > 0 {
                let result = try pagemap.scan(rest, query)
                try tracked.context.expect(
                    result.regions.count <= 1,
                    "\(result.regions.count) regions in a vector of 1"
                )
                try tracked.context.expect(result.walkEnd > rest.start, "the walk makes no progress")
                found += tracked.memory.pageNumbers(result.regions)
                // What lies behind walk_end was neither reported nor protected.
                let behind = try tracked.written()
                let expected = [0, 2, 4, 6].filter { !found.contains($0) }
                try tracked.context.expect(behind == expected, "left are \(listed(behind)), not \(listed(expected))")
                rest = AddressRange(start: result.walkEnd, length: rest.end - result.walkEnd)
                calls += 1
            }
            try tracked.context.expect(found == [0, 2, 4, 6], "the scans found \(listed(found))")
            try tracked.context.expect(calls >= 4, "\(calls) scans of one region each found four")
        },
        scan("wp-scan-hole", "A hole between mappings is in no region, and the walk goes on behind it.") {
            (tracked, pagemap) throws(Failure) in
            for page in 0..<8 { tracked.memory.store(page, 1) }
            let hole = tracked.memory.pages(2..<4)
            if munmap(UnsafeMutableRawPointer(bitPattern: hole.start), Int(hole.length)) != 0 {
                throw Failure(call: "munmap", code: cuffd_errno())
            }
            try tracked.expectWritten([0, 1, 4, 5, 6, 7], "around the hole")
            let query = ScanQuery(all: [.written], report: [.written])
            try tracked.context.expectEqual(
                try pagemap.scan(tracked.memory.range, query).walkEnd,
                tracked.memory.range.end,
                "walk_end"
            )
        },
        asynchronous(
            "wp-scan-swapped",
            "A swapped-out page is reported swapped, and written only if it was.",
            on: [.anon, .anonTHP, .shmemPrivate],
            needs: [.swap]
        ) { (context, tracked) throws(Failure) in
            try tracked.expectNoTrap(1, offset: 16)
            try tracked.swapOut(0..<4)
            let pagemap = try Pagemap()
            let query = ScanQuery(all: [.swapped], report: [.swapped, .written, .present])
            let regions = try pagemap.scan(tracked.memory.pages(0..<4), query).regions
            let expected = [
                PageRegion(range: tracked.memory.page(0), categories: .swapped),
                PageRegion(range: tracked.memory.page(1), categories: [.swapped, .written]),
                PageRegion(range: tracked.memory.pages(2..<4), categories: .swapped),
            ]
            try context.expect(regions == expected, "regions are not as expected")
            context.sawTrap()
        },
        asynchronous(
            "wp-scan-huge",
            "A protected huge page is reported huge and not written, clipped to the range that is scanned.",
            on: [.anonTHP, .hugetlb, .hugetlbPrivate]
        ) { (context, tracked) throws(Failure) in
            try tracked.showAsyncTrap(1)
            let fresh = try Tracked(context, features: Tracked.asyncFeatures)
            try fresh.protect()
            let pagemap = try Pagemap()
            let part = fresh.memory.pages(1..<3)
            let query = ScanQuery(all: [.huge], report: [.huge, .present, .written])
            let regions = try pagemap.scan(part, query).regions
            let expected = [PageRegion(range: part, categories: [.huge, .present])]
            try context.expect(regions == expected, "regions are not as expected")
            fresh.memory.store(2, 1)
            try fresh.expectWritten([2], "after a write into the huge page")
        },
    ]

    /// A scan over populated, protected memory of eight pages or more, after it was shown that a write is reported.
    private static func scan(
        _ name: StaticString,
        _ summary: StaticString,
        on kinds: [MemoryKind] = MemoryKind.all,
        _ body: @escaping @Sendable (Tracked, Pagemap) throws(Failure) -> Void
    ) -> Scenario {
        Scenario(name, summary, on: kinds, needs: needsAsync) { (context) throws(Failure) in
            let tracked = try Tracked(context, pages: 8, features: Tracked.asyncFeatures)
            try tracked.protect()
            try tracked.showAsyncTrap(1)
            try body(tracked, try Pagemap())
        }
    }
}
