// SPDX-License-Identifier: GPL-2.0-only

import CUserfaultfd
import Userfaultfd

/// Ways to resolve a missing page, and what they refuse.
extension Missing {
    static let fillScenarios: [Scenario] = [
        Scenario(
            "missing-copy",
            "COPY fills exactly its pages, from any source address, ahead of the access as well.",
            on: MemoryKind.all,
            copy
        ),
        Scenario(
            "missing-zeropage",
            "ZEROPAGE resolves with zeroes that can be written to without touching other pages.",
            on: MemoryKind.withoutHugetlb,
            zeropage
        ),
        Scenario(
            "missing-hugetlb-rules",
            "On hugetlb ZEROPAGE and what is not whole huge pages are EINVAL, and the waiter stays asleep.",
            on: [.hugetlb, .hugetlbPrivate],
            hugetlbRules
        ),
        Scenario(
            "missing-dontwake",
            "A fill with DONTWAKE leaves the waiter asleep until WAKE of its page.",
            on: MemoryKind.all,
            dontWake
        ),
        Scenario(
            "missing-wake",
            "WAKE without a page makes the access fault again; after the file was filled elsewhere it goes on.",
            on: MemoryKind.all,
            wake
        ),
        Scenario(
            "missing-exists",
            "COPY and ZEROPAGE over a page are EEXIST and leave its data alone.",
            on: MemoryKind.all,
            exists
        ),
        Scenario(
            "missing-partial",
            "A COPY that meets a populated page reports how far it came and wakes only that far.",
            on: MemoryKind.all,
            partial
        ),
        Scenario(
            "missing-bad-range",
            "Fills of unregistered, unmapped, overlong and truncated ranges and from bad sources fail as documented.",
            on: MemoryKind.all,
            badRange
        ),
    ]

    private static func copy(_ context: Context) throws(Failure) {
        let memory = try Memory(context.kind, pages: 4)
        let uffd = try register(memory)
        let source = try Memory(.anon, pages: Int(memory.pageSize / basePageSize) + 1)
        for byte in stride(from: 0, to: memory.pageSize, by: 512) {
            cuffd_store8(source.range.start + 7 + byte, UInt8(truncatingIfNeeded: byte / 512 + 1))
        }
        let reader = try Access.read(memory, 1, offset: 512)
        try context.expectFault(uffd, at: memory.address(1), [])
        try uffd.copy(to: memory.page(1), from: source.range.start + 7)
        try context.expectEqual(reader.finish(), 2, "byte read at offset 512")
        for byte in stride(from: 0, to: memory.pageSize, by: 512) {
            try context.expectEqual(
                memory.load(1, offset: byte),
                UInt8(truncatingIfNeeded: byte / 512 + 1),
                "byte at offset \(byte)"
            )
        }
        for page in [0, 2, 3] {
            try context.expect(!memory.entry(page).isPresent, "page \(page) is there, beside the one copied")
        }
        try uffd.copyPattern(memory, 3)
        try memory.check(3..<4, "after COPY ahead of the access")
        try context.expectNoMessage(uffd, "after access to a page copied ahead")
        try context.expectErrno(.invalid, "COPY with MODE_WP without WP registered") { () throws(Failure) in
            try uffd.copyPattern(memory, 2, .writeProtect)
        }
    }

    private static func zeropage(_ context: Context) throws(Failure) {
        let memory = try Memory(context.kind, pages: 4)
        let uffd = try register(memory)
        let reader = try Access.read(memory, 1)
        try context.expectFault(uffd, at: memory.address(1), [])
        try uffd.zeropage(memory.page(1))
        try context.expectEqual(reader.finish(), 0, "byte read")
        let writer = try Access.write(memory, 2, offset: 64, 5)
        try context.expectFault(uffd, at: memory.address(2), .write)
        try uffd.zeropage(memory.pages(2..<4))
        try writer.finish()
        try context.expectEqual(memory.load(2, offset: 64), 5, "byte written")
        memory.fill(1..<2)
        try memory.check(1..<2, "after a write over a zero page")
        try memory.checkZeroes(2..<4, "zero pages beside one that was written to")
        try context.expect(!memory.entry(0).isPresent, "page 0 is there, beside those filled")
        try context.expectNoMessage(uffd, "after writes to zero pages")
    }

    private static func hugetlbRules(_ context: Context) throws(Failure) {
        let memory = try Memory(context.kind, pages: 2)
        let uffd = try Userfaultfd(features: [])
        let base = AddressRange(start: memory.range.start, length: basePageSize)
        let shifted = AddressRange(start: memory.range.start + basePageSize, length: memory.pageSize)
        for bad in [base, shifted] {
            try context.expectErrno(.invalid, "REGISTER of part of a huge page") { () throws(Failure) in
                try uffd.register(bad, .missing)
            }
        }
        let ioctls = try uffd.register(memory.range, .missing)
        try context.expect(ioctls.contains([.copy, .wake]), "ioctls \(ioctls.rawValue) miss COPY or WAKE")
        try context.expect(!ioctls.contains(.zeropage), "ioctls \(ioctls.rawValue) offer ZEROPAGE")
        let reader = try Access.read(memory, 0, offset: memory.pageSize / 2)
        try context.expectFault(uffd, at: memory.address(0), [])
        let source = try memory.pattern(of: 0)
        try context.expectErrno(.invalid, "ZEROPAGE") { () throws(Failure) in try uffd.zeropage(memory.page(0)) }
        for bad in [base, shifted] {
            try context.expectErrno(.invalid, "COPY to part of a huge page") { () throws(Failure) in
                try uffd.copy(to: bad, from: source.range.start)
            }
        }
        try context.expectErrno(.invalid, "UNREGISTER of part of a huge page") { () throws(Failure) in
            try uffd.unregister(shifted)
        }
        try context.expectWaiters(uffd, 1, "after refused calls")
        try uffd.copy(to: memory.page(0), from: source.range.start)
        try reader.finish()
        try memory.check(0..<1, "after COPY")
    }

    private static func dontWake(_ context: Context) throws(Failure) {
        let memory = try Memory(context.kind, pages: 3)
        let uffd = try register(memory)
        let reader = try Access.read(memory, 1)
        try context.expectFault(uffd, at: memory.address(1), [])
        try uffd.copyPattern(memory, 1, .dontWake)
        try context.expect(memory.entry(1).isPresent, "COPY with DONTWAKE filled nothing")
        try context.expectWaiters(uffd, 1, "after COPY with DONTWAKE")
        try uffd.wake(memory.page(0))
        try uffd.wake(memory.page(2))
        try context.expectWaiters(uffd, 1, "after WAKE of the neighbours")
        try context.expect(!reader.isFinished, "the access went on before WAKE")
        try uffd.wake(memory.page(1))
        try reader.finish()
        try memory.check(1..<2, "after WAKE")
        if context.kind.isHugetlb { return }

        let writer = try Access.write(memory, 2, offset: 64, 3)
        try context.expectFault(uffd, at: memory.address(2), .write)
        try uffd.zeropage(memory.page(2), dontWake: true)
        try context.expectWaiters(uffd, 1, "after ZEROPAGE with DONTWAKE")
        try uffd.wake(memory.range)
        try writer.finish()
        try memory.checkZeroes(2..<3, "after ZEROPAGE and WAKE")
        try context.expectEqual(memory.load(2, offset: 64), 3, "byte written")
    }

    private static func wake(_ context: Context) throws(Failure) {
        let memory = try Memory(context.kind, pages: 2)
        let uffd = try register(memory)
        let reader = try Access.read(memory, 1)
        try context.expectFault(uffd, at: memory.address(1), [])
        try uffd.wake(memory.page(1))
        try context.expectFault(uffd, at: memory.address(1), [])
        if context.kind.isAnonymous {
            try uffd.copyPattern(memory, 1)
        } else {
            let alias = try memory.alias()
            alias.fill(1..<2)
            try context.expectWaiters(uffd, 1, "after the file was filled through another mapping")
            try uffd.wake(memory.page(1))
        }
        try reader.finish()
        try memory.check(1..<2, "after WAKE")
        try context.expectNoMessage(uffd, "after the access")
    }

    private static func exists(_ context: Context) throws(Failure) {
        let memory = try Memory(context.kind, pages: 2)
        let uffd = try register(memory)
        let reader = try Access.read(memory, 0)
        try context.expectFault(uffd, at: memory.address(0), [])
        try uffd.copyPattern(memory, 0)
        try reader.finish()
        try context.expectErrno(.exists, "COPY over a page") { () throws(Failure) in
            try uffd.copyPattern(memory, 0, seed: 2)
        }
        if !context.kind.isHugetlb {
            try context.expectErrno(.exists, "ZEROPAGE over a page") { () throws(Failure) in
                try uffd.zeropage(memory.page(0))
            }
        }
        try memory.check(0..<1, "after refused fills")
    }

    private static func partial(_ context: Context) throws(Failure) {
        let memory = try Memory(context.kind, pages: 4)
        let uffd = try register(memory)
        try uffd.copyPattern(memory, 2, seed: 2)
        let woken = try Access.read(memory, 1)
        try context.expectFault(uffd, at: memory.address(1), [])
        let asleep = try Access.read(memory, 3)
        try context.expectFault(uffd, at: memory.address(3), [])
        let source = try Memory(.anon, pages: Int(4 * memory.pageSize / basePageSize))
        source.fillWithZeroes(0..<source.pages)
        var progress: Int64 = -1
        try context.expectErrno(.again, "COPY that meets a page") { () throws(Failure) in
            do throws(Failure) {
                try uffd.copy(to: memory.pages(0..<4), from: source.range.start)
            } catch {
                progress = error.progress
                throw error
            }
        }
        try context.expectEqual(progress, Int64(2 * memory.pageSize), "bytes copied")
        try context.expectEqual(woken.finish(), 0, "byte read")
        try context.expectWaiters(uffd, 1, "after a partial COPY")
        try memory.checkZeroes(0..<2, "what was copied")
        try memory.check(2..<3, seed: 2, "the page in the way")
        try context.expectErrno(.exists, "the rest of the COPY") { () throws(Failure) in
            try uffd.copy(to: memory.pages(2..<4), from: source.range.start)
        }
        try context.expectWaiters(uffd, 1, "after a refused COPY")
        try uffd.copyPattern(memory, 3)
        try asleep.finish()
        try memory.check(3..<4, "after COPY of the last page")
    }

    private static func badRange(_ context: Context) throws(Failure) {
        let memory = try Memory(context.kind, pages: 4)
        let uffd = try register(memory)
        let unit = memory.kind.isTHP ? try Memory.hugePageSize(memory.kind) : memory.pageSize
        let source = try Memory(.anon, pages: Int(2 * unit / basePageSize))
        let stranger = try Memory(context.kind, pages: 1)
        try context.expectErrno(.noEntry, "COPY to an unregistered VMA") { () throws(Failure) in
            try uffd.copy(to: stranger.page(0), from: source.range.start)
        }
        let beyond = AddressRange(start: memory.range.end - unit, length: 2 * unit)
        try context.expectErrno(.noEntry, "COPY beyond the VMA") { () throws(Failure) in
            try uffd.copy(to: beyond, from: source.range.start)
        }
        try context.expect(!memory.entry(memory.pages - 1).isPresent, "COPY beyond the VMA filled a page")
        let gone = try Memory(context.kind, pages: 1)
        try gone.unmap()
        try context.expectErrno(.noEntry, "COPY to an unmapped range") { () throws(Failure) in
            try uffd.copy(to: gone.page(0), from: source.range.start)
        }
        try context.expectErrno(.fault, "COPY from an unmapped source") { () throws(Failure) in
            try uffd.copy(to: memory.page(0), from: gone.range.start)
        }
        let reader = try Access.read(memory, 0)
        try context.expectFault(uffd, at: memory.address(0), [])
        try uffd.copyPattern(memory, 0)
        try reader.finish()
        try memory.check(0..<1, "after refused COPYs")
        if memory.kind.isAnonymous { return }

        let length = memory.range.length - unit
        try checked("ftruncate", ftruncate(memory.descriptor, Int(length)))
        // A private hugetlb page is anonymous memory to COPY, which does not look at the file's size for it.
        if memory.kind == .hugetlbPrivate { return }
        do throws(Failure) {
            try uffd.copyPattern(memory, memory.pages - 1)
        } catch {
            // EFAULT it was; 7.2, where shmem allocates the folio itself, says ENOMEM for a shared mapping.
            let allowed = error.errno == .fault || (memory.kind.isShmem && error.errno == .noMemory)
            try context.expect(allowed, "COPY beyond the end of the file: \(error.message)")
            return
        }
        throw Failure("COPY beyond the end of the file succeeded")
    }
}
