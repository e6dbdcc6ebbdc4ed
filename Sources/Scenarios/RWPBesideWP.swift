// SPDX-License-Identifier: GPL-2.0-only

import CUserfaultfd
import Userfaultfd

/// Write protection and read-write protection in one program (rules G1, G3).
enum RWPBesideWP {
    private static let needs = Need.rwp + [.features([.writeProtect, .writeProtectFiles, .writeProtectAsync])]

    static let scenarios: [Scenario] = [
        Scenario(
            "rwp-wp-refused",
            "a VMA is never both, whichever comes first",
            rules: "G1 G3",
            on: MemoryKind.all,
            needs: needs,
            refused
        ),
        Scenario(
            "rwp-wp-side-by-side",
            "two VMAs of one userfaultfd, both async, are told apart by one scan",
            rules: "S2 G1",
            on: MemoryKind.all,
            needs: needs,
            sideBySide
        ),
        Scenario(
            "rwp-wp-handover",
            "a range handed from WP to RWP and back has no stale bit",
            rules: "G3 L6 S1",
            on: MemoryKind.all,
            needs: needs,
            handover
        ),
        Scenario(
            "rwp-wp-neighbours",
            "neighbouring WP and RWP VMAs never merge",
            rules: "G5",
            on: MemoryKind.all,
            needs: needs,
            neighbours
        ),
        Scenario(
            "rwp-wp-copy-reregistered",
            "a COPY for WP that waits for its source protects nothing once the range is registered for RWP",
            rules: "G3 P1",
            on: MemoryKind.all,
            needs: needs,
            copyReregistered
        ),
        Scenario(
            "rwp-wp-unregister",
            "who waits at a write-protected page of a range, or for a page of it, goes on when that is unregistered",
            rules: "L6",
            on: [.anon, .shmem, .hugetlb],
            needs: needs,
            unregister
        ),
        Scenario(
            "rwp-wp-one-async",
            "WP_ASYNC leaves RWP synchronous, and RWP_ASYNC leaves WP synchronous",
            rules: "F1 F2",
            on: MemoryKind.all,
            needs: needs,
            oneAsync
        ),
    ]

    private static func refused(_ context: Context) throws(Failure) {
        let protected = try Protected(context, async: false, features: [.writeProtect, .writeProtectFiles])
        let memory = protected.memory
        try protected.showTrap()
        try context.expectErrno(.busy, "RWP to WP") { () throws(Failure) in
            try protected.uffd.register(memory.range, .writeProtect)
        }
        try protected.uffd.unregister(memory.range)
        try protected.uffd.register(memory.range, .writeProtect)
        try context.expectErrno(.busy, "WP to RWP") { () throws(Failure) in
            try protected.uffd.register(memory.range, .readWriteProtect)
        }
        try protected.uffd.unregister(memory.range)
        try context.expectErrno(.invalid, "both at once") { () throws(Failure) in
            try protected.uffd.register(memory.range, [.readWriteProtect, .writeProtect])
        }
    }

    private static func unregister(_ context: Context) throws(Failure) {
        try Protected(context, async: false).showTrap()
        let features: Features = [.writeProtect, .writeProtectFiles, .minorShmem, .minorHugetlbfs]
        let uffd = try Userfaultfd(features: features.union(.readWriteProtect))
        let isShared = context.kind.isShared
        for mode in [RegisterMode.writeProtect, .missing] + (isShared ? [.minor] : []) {
            let memory = try Memory(context.kind, chunks: 2)
            if mode == .writeProtect { try memory.populate() }
            if mode == .minor { try memory.alias().fill() }
            try uffd.register(memory.range, mode)
            if mode == .writeProtect { try uffd.writeProtect(memory.range) }
            let waiter = try Access.write(memory, 0, offset: 100, 7)
            _ = try uffd.nextFault()
            try waitAsleep(waiter.kernelID)
            try uffd.unregister(memory.range)
            try waiter.finish()
            try context.expectEqual(memory.load(0, offset: 100), 7, "the byte written, mode \(mode.rawValue)")
            try context.expectNoMessage(uffd, "unregistered, mode \(mode.rawValue)")
            try memory.unmap()
        }
    }

    private static func sideBySide(_ context: Context) throws(Failure) {
        let features: Features = [.writeProtect, .writeProtectFiles, .writeProtectAsync, .writeProtectUnpopulated]
        let protected = try Protected(context, async: true, features: features)
        try protected.showTrap()
        let memory = protected.memory
        let other = try Memory(context.kind, chunks: 4)
        try other.populate()
        try protected.uffd.register(other.range, .writeProtect)
        try protected.armAll()
        try protected.uffd.writeProtect(other.range)
        protected.loadAll(1)
        other.load(other.firstPage(1))
        other.store(other.firstPage(2), offset: 100, 1)
        try protected.expectAccessed([1], "the RWP side")
        let low = min(memory.range.start, other.range.start)
        let whole = AddressRange(start: low, length: max(memory.range.end, other.range.end) - low)
        var query = ScanQuery(report: [.accessed, .written])
        query.any = [.accessed, .written]
        let pagemap = try Pagemap()
        let regions = try pagemap.scan(whole, query).regions
        try context.expectEqual(regions.count, 2, "regions of one scan over both")
        for region in regions {
            if region.range == memory.chunk(1) {
                try context.expect(region.categories == .accessed, "categories of the RWP chunk")
            } else {
                try context.expect(other.chunk(2).contains(region.range.start), "the region of the WP side")
                try context.expect(region.categories == .written, "categories of the WP chunk")
            }
        }
    }

    private static func handover(_ context: Context) throws(Failure) {
        let features: Features = [.writeProtect, .writeProtectFiles]
        let protected = try Protected(context, async: false, features: features)
        let memory = protected.memory
        try protected.showTrap()
        for round in 0..<3 {
            try protected.armAll()
            try protected.uffd.unregister(memory.range)
            try protected.uffd.register(memory.range, .writeProtect)
            try expectNoBit(protected, "round \(round), registered for WP")
            memory.fill(seed: 1)
            try protected.uffd.writeProtect(memory.range)
            try memory.check("reads of write-protected pages")
            try protected.expectNoMessage("reads of write-protected pages")
            try protected.uffd.unregister(memory.range)
            try protected.uffd.register(memory.range, .readWriteProtect)
            try expectNoBit(protected, "round \(round), registered for RWP")
            memory.fill(seed: 1)
            try protected.expectNoMessage("access of unarmed chunks")
        }
        try protected.armAll()
        try protected.expectTrap(1, .read)
    }

    private static func neighbours(_ context: Context) throws(Failure) {
        let features: Features = [.writeProtect, .writeProtectFiles]
        let protected = try Protected(context, async: false, features: features)
        let memory = protected.memory
        try protected.showTrap()
        try protected.uffd.unregister(memory.chunks(2..<4))
        try protected.uffd.register(memory.chunks(2..<4), .writeProtect)
        try context.expectEqual(try AddressSpace.mappings(in: memory.range), 2, "VMAs of an RWP and a WP half")
        try protected.uffd.unregister(memory.range)
        // hugetlb VMAs are VM_DONTEXPAND, which never merge.
        let merged = context.kind.isHugetlb ? 2 : 1
        try context.expectEqual(try AddressSpace.mappings(in: memory.range), merged, "VMAs after unregister")
    }

    private static func oneAsync(_ context: Context) throws(Failure) {
        let features: Features = [.writeProtect, .writeProtectFiles]
        for rwpIsAsync in [false, true] {
            let extra: Features = rwpIsAsync ? [] : [.writeProtectAsync, .writeProtectUnpopulated]
            let protected = try Protected(context, async: rwpIsAsync, features: features.union(extra))
            let (uffd, memory) = (protected.uffd, protected.memory)
            let other = try Memory(context.kind, chunks: 4)
            try other.populate()
            try uffd.register(other.range, .writeProtect)
            try protected.showTrap()
            try protected.armAll()
            try uffd.writeProtect(other.range)
            if rwpIsAsync {
                memory.store(memory.firstPage(2), offset: 100, 1)
                try protected.expectAccessed([2], "after a write")
                let page = other.firstPage(1)
                let writer = try Access.write(other, page, offset: 100, 1)
                let fault = try uffd.nextFault()
                try context.expect(fault.flags == [.writeProtect, .write], "flags \(fault.flags.rawValue)")
                try context.expect(other.chunk(1).contains(fault.address), "address of the WP message")
                try uffd.writeProtect(other.chunk(1), false)
                try writer.finish()
            } else {
                other.store(other.firstPage(1), offset: 100, 1)
                try protected.expectNoMessage("a write in an asynchronous WP VMA")
                try protected.expectTrap(1, .read)
                try protected.expectTrap(2, .write(1), offset: 100)
                try protected.resolve(0..<4)
            }
            try memory.check("at the end")
            try other.check("at the end")
        }
    }

    private static func copyReregistered(_ context: Context) throws(Failure) {
        let features: Features = [.writeProtect, .writeProtectFiles]
        let protected = try Protected(context, async: false, features: features)
        let uffd = protected.uffd
        try protected.showTrap()
        let memory = try Memory(context.kind, chunks: 4)
        try uffd.register(memory.range, [.missing, .writeProtect])
        // The first page of the source is up to another monitor, so that the copy can be held up.
        let source = try Memory(.anon, pages: Int(memory.pageSize / basePageSize))
        source.fill()
        try source.advise(source.page(0), MADV_DONTNEED)
        let other = try Userfaultfd(features: [])
        try other.register(source.page(0), .missing)
        let copier = try Thread { () throws(Failure) in
            do throws(Failure) {
                try uffd.copy(to: memory.page(0), from: source.range.start, .writeProtect)
            } catch {
                // Whether it says that the range is not the same, or that it has no such mode, is the kernel's business.
                if error.errno != .again && error.errno != .invalid { throw error }
            }
        }
        try context.expectFault(other, at: source.range.start, [])
        try uffd.unregister(memory.range)
        try uffd.register(memory.range, .readWriteProtect)
        try other.copyPattern(source, 0)
        try copier.join()
        let anew = Protected(protected, memory: memory)
        try expectNoBit(anew, "after COPY")
        memory.fill()
        try anew.armAll()
        for chunk in 0..<2 { try anew.expectTrap(chunk, .read) }
        try anew.resolve(0..<4)
        try memory.check("at the end")
    }

    private static func expectNoBit(_ protected: Protected, _ when: String) throws(Failure) {
        try protected.memory.expectUffdBit(when) { _ in false }
    }
}
