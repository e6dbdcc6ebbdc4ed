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
        let memory = try Memory(context.kind, pages: 4)
        let uffd = try Userfaultfd(features: .eventRemove)
        try uffd.register(memory.range, .missing)
        for page in 0..<4 { try uffd.copyPattern(memory, page) }
        let range = memory.pages(1..<3)
        let call = try BlockingCall { madvise(range, MADV_DONTNEED) }
        try expectBlocked(context, call, uffd)
        try memory.check(0..<4, "before the event was read")
        try expect(context, uffd, .remove(range))
        try context.expectEqual(call.finish(), 0, "MADV_DONTNEED")
        for page in 1..<3 { try context.expect(!memory.entry(page).isPresent, "page \(page) is still there") }
        if context.kind.isShared {
            try memory.check(0..<4, "after MADV_DONTNEED of pages that the file has")
        } else {
            for page in 1..<3 { try expectMissing(context, uffd, memory, page, seed: 2) }
            try memory.check(0..<1, "before the range")
            try memory.check(3..<4, "behind the range")
        }
        try context.expectNoMessage(uffd, "after one MADV_DONTNEED")
    }

    private static func removeFromFile(_ context: Context) throws(Failure) {
        let memory = try Memory(context.kind, pages: 4)
        let uffd = try Userfaultfd(features: .eventRemove)
        try uffd.register(memory.range, .missing)
        for page in 0..<4 { try uffd.copyPattern(memory, page) }
        let range = memory.pages(1..<3)
        let call = try BlockingCall { madvise(range, MADV_REMOVE) }
        try expectBlocked(context, call, uffd)
        try memory.check(0..<4, "before the event was read")
        try expect(context, uffd, .remove(range))
        try context.expectEqual(call.finish(), 0, "MADV_REMOVE")
        for page in 1..<3 { try expectMissing(context, uffd, memory, page, seed: 2) }
        try memory.check(0..<1, "before the hole")
        try memory.check(3..<4, "behind the hole")
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
}
