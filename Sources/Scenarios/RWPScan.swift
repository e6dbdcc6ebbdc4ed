// SPDX-License-Identifier: GPL-2.0-only

import CUserfaultfd
import Userfaultfd

/// What pagemap and PAGEMAP_SCAN say of RWP memory (rules S1 to S3).
enum RWPScan {
    static let scenarios: [Scenario] = [
        Scenario(
            "rwp-scan-hot-set",
            "the pages that were touched are reported, and no others",
            rules: "S2 F2",
            on: MemoryKind.all,
            needs: Need.rwp,
            hotSet
        ),
        Scenario(
            "rwp-scan-cold-set",
            "inverted, the pages that were not touched are reported",
            rules: "S2",
            on: MemoryKind.all,
            needs: Need.rwp,
            coldSet
        ),
        Scenario(
            "rwp-scan-any-of",
            "an any-of mask of accessed or swapped finds either",
            rules: "S2",
            on: MemoryKind.base,
            needs: Need.rwp,
            anyOf
        ),
        Scenario(
            "rwp-scan-limits",
            "max_pages and a short vector stop the walk where they say",
            rules: "S2",
            on: MemoryKind.all,
            needs: Need.rwp,
            limits
        ),
        Scenario(
            "rwp-scan-holes",
            "unpopulated addresses and unmapped ones are never accessed",
            rules: "S2",
            on: MemoryKind.base,
            needs: Need.rwp,
            holes
        ),
        Scenario(
            "rwp-scan-swapped",
            "a swapped-out page is accessed exactly if it is not armed",
            rules: "S1 S2 B2 L1",
            on: [.anon, .anonTHP, .shmemPrivate],
            needs: Need.rwp + [.swap],
            swapped
        ),
        Scenario(
            "rwp-scan-outside",
            "memory outside of RWP VMAs is never accessed",
            rules: "S2",
            on: MemoryKind.all,
            needs: Need.rwp,
            outside
        ),
        Scenario(
            "rwp-scan-wp-matching",
            "PM_SCAN_WP_MATCHING over an RWP VMA neither arms nor disarms",
            rules: "S3",
            on: MemoryKind.all,
            needs: Need.rwp + [.features(.writeProtectAsync)],
            wpMatching
        ),
        Scenario(
            "rwp-scan-written",
            "pages of an RWP VMA are never reported as written",
            rules: "S2",
            on: MemoryKind.all,
            needs: Need.rwp + [.features(.writeProtectAsync)],
            written
        ),
        Scenario(
            "rwp-scan-written-outside",
            "pages of memory that is not registered are never reported as written",
            rules: "S2",
            on: MemoryKind.all,
            needs: Need.rwp
        ) { (context) throws(Failure) in
            let protected = try Protected(context, async: true)
            try protected.showTrap()
            try protected.uffd.unregister(protected.memory.range)
            protected.memory.fill()
            try expectNotWritten(context, protected.memory)
        },
        Scenario(
            "rwp-scan-wp-only",
            "PM_SCAN_WP_MATCHING without a vector leaves RWP memory alone; PM_SCAN_CHECK_WPASYNC refuses it",
            rules: "S3",
            on: MemoryKind.all,
            needs: Need.rwp + [.features(.writeProtectAsync)],
            wpOnly
        ),
    ]

    private static func hotSet(_ context: Context) throws(Failure) {
        let chunks = context.kind.isTHP || context.kind.isHugetlb ? 6 : 64
        let protected = try Protected(context, async: true, chunks: chunks)
        try protected.showTrap()
        for step in [2, 3, 5] {
            try protected.armAll()
            var hot: [Int] = []
            for chunk in 0..<chunks where chunk % step == 1 {
                protected.loadAll(chunk)
                hot.append(chunk)
            }
            try protected.expectAccessed(hot, "every chunk that is 1 modulo \(step)")
        }
    }

    private static func coldSet(_ context: Context) throws(Failure) {
        let protected = try Protected(context, async: true)
        let memory = protected.memory
        try protected.showTrap()
        try protected.armAll()
        protected.loadAll(1)
        var query = ScanQuery(all: [.accessed, .present], report: [.accessed, .present])
        query.inverted = .accessed
        let found = try scan(memory.range, query)
        try context.expectEqual(found.regions.count, 2, "cold regions")
        try context.expect(found.regions[0].range == memory.chunk(0), "first cold region")
        try context.expect(found.regions[1].range == memory.chunks(2..<4), "second cold region")
        // Reported categories have the inversion applied: an inverted bit that matched is reported as set.
        try context.expect(found.regions[0].categories.contains(.present), "cold pages are present")
    }

    private static func anyOf(_ context: Context) throws(Failure) {
        let protected = try Protected(context, async: true)
        let memory = protected.memory
        try protected.showTrap()
        try protected.armAll()
        protected.loadAll(2)
        var query = ScanQuery(report: [.accessed, .swapped, .present])
        query.any = [.accessed, .swapped]
        let found = try scan(memory.range, query)
        try context.expectEqual(found.regions.count, 1, "regions that are accessed or swapped")
        try context.expect(found.regions[0].range == memory.chunk(2), "the region")
        try context.expect(found.regions[0].categories == [.accessed, .present], "its categories")
    }

    private static func limits(_ context: Context) throws(Failure) {
        let protected = try Protected(context, async: true)
        let memory = protected.memory
        try protected.showTrap()
        try protected.armAll()
        for chunk in [0, 2] { protected.loadAll(chunk) }
        let perChunk = memory.chunkSize / basePageSize
        var query = ScanQuery(all: .accessed, report: .accessed)
        query.maxPages = UInt64(perChunk)
        var found = try scan(memory.range, query)
        try context.expectEqual(found.regions.count, 1, "regions under max_pages")
        try context.expect(found.regions[0].range == memory.chunk(0), "the region under max_pages")
        try context.expect(
            found.walkEnd >= memory.chunk(0).end && found.walkEnd <= memory.chunk(2).start,
            "walk_end under max_pages is \(hex(found.walkEnd))"
        )
        query.maxPages = 0
        query.capacity = 1
        found = try scan(memory.range, query)
        try context.expectEqual(found.regions.count, 1, "regions in a vector of one")
        let rest = AddressRange(start: found.walkEnd, length: memory.range.end - found.walkEnd)
        found = try scan(rest, query)
        try context.expectEqual(found.regions.count, 1, "regions from walk_end on")
        try context.expect(found.regions[0].range == memory.chunk(2), "the region from walk_end on")
    }

    private static func holes(_ context: Context) throws(Failure) {
        let protected = try Protected(context, async: true, chunks: 8, populated: false)
        let memory = protected.memory
        memory.fill(0..<2)
        memory.fill(4..<5)
        try protected.showTrap()
        try protected.uffd.readWriteProtect(memory.range)
        try protected.expectAccessed([], "armed, with holes")
        memory.load(4)
        try protected.expectAccessed([4], "with holes")
        if munmap(UnsafeMutableRawPointer(bitPattern: memory.address(2)), Int(memory.pageSize)) != 0 {
            throw Failure(call: "munmap", code: cuffd_errno())
        }
        try protected.expectAccessed([4], "with an unmapped page")
        try protected.uffd.readWriteProtect(memory.range)
        try protected.expectAccessed([], "armed over a hole between VMAs (P4)")
    }

    private static func swapped(_ context: Context) throws(Failure) {
        let protected = try Protected(context, async: true)
        let memory = protected.memory
        try protected.showTrap()
        try protected.armAll()
        memory.load(memory.firstPage(1))
        try memory.swapOut(0..<memory.pages)
        try protected.expectAccessed([1], "swapped out")
        try protected.uffd.readWriteProtect(memory.range)
        try protected.expectAccessed([], "armed while swapped out")
        try protected.uffd.readWriteProtect(memory.chunk(2), false)
        try protected.expectAccessed([2], "chunk 2 resolved while swapped out")
        try memory.check("read back")
        try protected.expectAccessed([0, 1, 2, 3], "read back")
    }

    private static func outside(_ context: Context) throws(Failure) {
        let protected = try Protected(context, async: true)
        try protected.showTrap()
        let other = try Memory(context.kind, chunks: 2)
        try other.populate()
        let query = ScanQuery(all: .accessed, report: .accessed)
        try context.expectEqual(try scan(other.range, query).regions.count, 0, "accessed regions of plain memory")
        try protected.uffd.unregister(protected.memory.range)
        let left = try scan(protected.memory.range, query)
        try context.expectEqual(left.regions.count, 0, "accessed regions after unregister")
    }

    private static func wpMatching(_ context: Context) throws(Failure) {
        let protected = try Protected(context, async: true, features: [.writeProtect, .writeProtectAsync])
        let memory = protected.memory
        try protected.showTrap()
        try protected.armAll()
        memory.load(memory.firstPage(1))
        try protected.expectAccessed([1], "before the scan")
        var query = ScanQuery(report: [.accessed, .written])
        query.any = [.present, .accessed]
        query.writeProtectMatching = true
        try expectSkipped(context, memory.range, query)
        try protected.expectAccessed([1], "after PM_SCAN_WP_MATCHING")
        memory.store(memory.firstPage(1), offset: 100, 1)
        try protected.expectAccessed([1], "after a write to the accessed chunk")
    }

    private static func written(_ context: Context) throws(Failure) {
        let protected = try Protected(context, async: true, features: [.writeProtect, .writeProtectAsync])
        let memory = protected.memory
        try protected.showTrap()
        try protected.armAll()
        memory.store(memory.firstPage(1), offset: 100, 1)
        try expectNotWritten(context, memory)
    }

    /// The kernel has a fast path for a scan of WRITTEN alone, so that is asked in two ways.
    private static func expectNotWritten(_ context: Context, _ memory: Memory) throws(Failure) {
        var slow = ScanQuery(report: [.written, .present])
        slow.any = .written
        for query in [ScanQuery(all: .written, report: .written), slow] {
            try context.expectEqual(try scan(memory.range, query).regions.count, 0, "written regions")
        }
    }

    private static func expectSkipped(_ context: Context, _ range: AddressRange, _ query: ScanQuery) throws(Failure) {
        let result = try scan(range, query)
        try context.expectEqual(result.regions.count, 0, "regions of PM_SCAN_WP_MATCHING")
        try context.expectEqual(result.walkEnd, range.end, "walk_end of PM_SCAN_WP_MATCHING")
    }

    private static func wpOnly(_ context: Context) throws(Failure) {
        let protected = try Protected(context, async: true, features: [.writeProtect, .writeProtectAsync])
        let memory = protected.memory
        try protected.showTrap()
        try protected.arm(1..<4)
        for category: PageCategories in [.written, .present, .accessed] {
            var query = ScanQuery(all: category, report: category)
            query.writeProtectMatching = true
            query.capacity = category == .written ? 0 : 16
            try expectSkipped(context, memory.range, query)
            try protected.expectAccessed([0], "after PM_SCAN_WP_MATCHING of categories \(category.rawValue)")
            query.checkWriteProtectAsync = true
            try context.expectErrno(.notPermitted, "PM_SCAN_CHECK_WPASYNC") { () throws(Failure) in
                _ = try scan(memory.range, query)
            }
        }
        memory.store(memory.firstPage(0), offset: 100, 1)
        try memory.check("at the end")
    }

    private static func scan(_ range: AddressRange, _ query: ScanQuery) throws(Failure) -> ScanResult {
        let pagemap = try Pagemap()
        defer { pagemap.close() }
        return try pagemap.scan(range, query)
    }
}
