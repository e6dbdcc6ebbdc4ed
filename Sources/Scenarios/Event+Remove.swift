// SPDX-License-Identifier: GPL-2.0-only

import CUserfaultfd
import Userfaultfd

/// EVENT_REMOVE and EVENT_UNMAP.
extension Event {
    static let removeScenarios: [Scenario] = [
        Scenario(
            "event-remove",
            "MADV_DONTNEED blocks until its event is read, and frees the pages only then.",
            on: MemoryKind.all,
            needs: [.features(.eventRemove)],
            remove
        ),
        Scenario(
            "event-remove-file",
            "MADV_REMOVE blocks until its event is read, and punches the file only then.",
            on: MemoryKind.shared,
            needs: [.features(.eventRemove)],
            removeFromFile
        ),
        Scenario(
            "event-unmap",
            "munmap(2) of a part and of the rest tells each range; what stays mapped still traps.",
            on: MemoryKind.all,
            needs: [.features(.eventUnmap)],
            unmap
        ),
        Scenario(
            "event-unmap-two",
            "munmap(2) across two VMAs of two userfaultfds is an event on each; mmap(2) over a range is one too.",
            on: [.anon, .shmem, .hugetlb],
            needs: [.features(.eventUnmap)],
            unmapOfTwo
        ),
        Scenario(
            "event-unmap-shrink",
            "mremap(2) to a smaller size blocks until the event of the end that it unmaps is read; the rest still traps.",
            on: MemoryKind.all,
            needs: [.features(.eventUnmap)],
            shrink
        ),
        Scenario(
            "event-unmap-moved-over",
            "mremap(2) onto a registered range tells that it is unmapped; what was moved there is not registered.",
            on: MemoryKind.all,
            needs: [.features(.eventUnmap)],
            moveOver
        ),
    ]

    private static func unit(_ memory: Memory) throws(Failure) -> Int {
        memory.kind.isTHP ? Int(try Memory.hugePageSize(memory.kind) / memory.pageSize) : 1
    }

    static func madvise(_ range: AddressRange, _ advice: Int32) -> Int {
        let result = CUserfaultfd.madvise(UnsafeMutableRawPointer(bitPattern: range.start), Int(range.length), advice)
        return result < 0 ? -Int(cuffd_errno()) : 0
    }

    static func munmap(_ range: AddressRange) -> Int {
        let result = CUserfaultfd.munmap(UnsafeMutableRawPointer(bitPattern: range.start), Int(range.length))
        return result < 0 ? -Int(cuffd_errno()) : 0
    }

    private static func remove(_ context: Context) throws(Failure) {
        let (uffd, memory) = try removed(context, by: MADV_DONTNEED)
        for page in 1..<3 { try context.expect(!memory.entry(page).isPresent, "page \(page) is still there") }
        if context.kind.isShared {
            try memory.check(0..<4, "after MADV_DONTNEED of pages that the file has")
        } else {
            for page in 1..<3 { try expectMissing(context, uffd, memory, page, seed: 2) }
        }
        try context.expectNoMessage(uffd, "after one MADV_DONTNEED")
    }

    private static func removeFromFile(_ context: Context) throws(Failure) {
        let (uffd, memory) = try removed(context, by: MADV_REMOVE)
        for page in 1..<3 { try expectMissing(context, uffd, memory, page, seed: 2) }
        try context.expectNoMessage(uffd, "after one MADV_REMOVE")
    }

    /// Four pages, of which this advice has removed the middle ones: when its event was read, and not before.
    private static func removed(_ context: Context, by advice: Int32) throws(Failure) -> (Userfaultfd, Memory) {
        let memory = try Memory(context.kind, pages: 4)
        let uffd = try Userfaultfd(features: .eventRemove)
        try uffd.register(memory.range, .missing)
        for page in 0..<4 { try uffd.copyPattern(memory, page) }
        let range = memory.pages(1..<3)
        let call = try BlockingCall { madvise(range, advice) }
        try expectBlocked(context, call, uffd)
        try memory.check(0..<4, "before the event was read")
        try expect(context, uffd, .remove(range))
        try context.expectEqual(call.finish(), 0, "madvise(2)")
        try memory.check(0..<1, "before the range")
        try memory.check(3..<4, "behind the range")
        return (uffd, memory)
    }

    private static func unmap(_ context: Context) throws(Failure) {
        let one = try unit(Memory(context.kind, pages: 1))
        let memory = try Memory(context.kind, pages: 3 * one)
        let uffd = try Userfaultfd(features: .eventUnmap)
        try uffd.register(memory.range, .missing)
        try uffd.copyPattern(memory, 0)
        let middle = memory.pages(one..<(2 * one))
        let first = try BlockingCall { munmap(middle) }
        try expectBlocked(context, first, uffd)
        try expect(context, uffd, .unmap(middle))
        try context.expectEqual(first.finish(), 0, "munmap(2) of the middle")
        try context.expectEqual(Missing.vmas(in: middle), 0, "VMAs in the range unmapped")
        try context.expectErrno(.noEntry, "COPY to the range unmapped") { () throws(Failure) in
            try uffd.copyPattern(memory, one)
        }
        try memory.check(0..<1, "before the range unmapped")
        try expectMissing(context, uffd, memory, 2 * one)

        let whole = memory.range
        let second = try BlockingCall { munmap(whole) }
        try expect(context, uffd, .unmap(whole))
        try context.expectEqual(second.finish(), 0, "munmap(2) of the whole")
        try context.expectEqual(Missing.vmas(in: whole), 0, "VMAs in the range unmapped")
        try context.expectNoMessage(uffd, "after two munmap(2)")
    }

    private static func unmapOfTwo(_ context: Context) throws(Failure) {
        let memory = try Memory(context.kind, pages: 4)
        let first = try Userfaultfd(features: .eventUnmap)
        let second = try Userfaultfd(features: .eventUnmap)
        try first.register(memory.page(0), .missing)
        try second.register(memory.pages(1..<4), .missing)
        let range = memory.pages(0..<2)
        let call = try BlockingCall { munmap(range) }
        try expectBlocked(context, call, first)
        try expect(context, first, .unmap(range))
        try expect(context, second, .unmap(range))
        try context.expectEqual(call.finish(), 0, "munmap(2)")
        try expectMissing(context, second, memory, 3)

        let page = memory.page(3)
        let over = try BlockingCall {
            cuffd_mmap(page.start, page.length, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0)
        }
        try expect(context, second, .unmap(page))
        try context.expectEqual(over.finish(), Int(page.start), "address that mmap(2) gave")
        try context.expectEqual(cuffd_load64(page.start), 0, "first word of what was mapped over")
        try expectMissing(context, second, memory, 2)
        try context.expectNoMessage(first, "after all")
    }

    private static func shrink(_ context: Context) throws(Failure) {
        let one = try unit(Memory(context.kind, pages: 1))
        let memory = try Memory(context.kind, pages: 3 * one)
        let uffd = try Userfaultfd(features: .eventUnmap)
        try uffd.register(memory.range, .missing)
        try uffd.copyPattern(memory, 0)
        let (kept, gone) = (memory.pages(0..<(2 * one)), memory.pages((2 * one)..<(3 * one)))
        let call = try BlockingCall { cuffd_mremap(memory.range.start, memory.range.length, kept.length, 0, 0) }
        try expectBlocked(context, call, uffd)
        try expect(context, uffd, .unmap(gone))
        try context.expectEqual(call.finish(), Int(kept.start), "address that mremap(2) gave")
        try context.expectEqual(Missing.vmas(in: gone), 0, "VMAs in the range unmapped")
        try memory.check(0..<1, "what stays")
        try expectMissing(context, uffd, memory, 2 * one - 1)
        try context.expectNoMessage(uffd, "after one mremap(2)")
    }

    private static func moveOver(_ context: Context) throws(Failure) {
        let memory = try Memory(context.kind, pages: 3)
        let other = try Memory(context.kind, pages: 3)
        try other.populate(seed: 2)
        let uffd = try Userfaultfd(features: .eventUnmap)
        try uffd.register(memory.range, .missing)
        try expectMissing(context, uffd, memory, 0)
        let call = try BlockingCall {
            let flags = MREMAP_MAYMOVE | MREMAP_FIXED
            return cuffd_mremap(other.range.start, other.range.length, other.range.length, flags, memory.range.start)
        }
        try expectBlocked(context, call, uffd)
        try expect(context, uffd, .unmap(memory.range))
        try context.expectEqual(call.finish(), Int(memory.range.start), "address that mremap(2) gave")
        try other.moved(to: memory.range.start).check(seed: 2, "what was moved there")
        try context.expectErrno(.noEntry, "COPY to what was moved there") { () throws(Failure) in
            try uffd.copyPattern(memory, 1)
        }
        try context.expectNoMessage(uffd, "after one mremap(2)")
    }
}
