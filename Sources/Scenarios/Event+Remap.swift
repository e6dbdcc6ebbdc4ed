// SPDX-License-Identifier: GPL-2.0-only

import CUserfaultfd
import Userfaultfd

/// EVENT_REMAP: mremap(2) takes the registration along.
extension Event {
    static let remapScenarios: [Scenario] = [
        Scenario(
            "event-remap",
            "mremap(2) blocks until its event is read, which tells old and new place; faults come from the new one.",
            on: MemoryKind.all,
            needs: [.features(.eventRemap)],
            remap
        ),
        Scenario(
            "event-remap-off",
            "Without EVENT_REMAP the new place is not registered: no event, no trap.",
            on: MemoryKind.all,
            remapOff
        ),
        Scenario(
            "event-remap-wp",
            "Write protection moves along with the event, and is lifted without it; swapped pages as well.",
            on: MemoryKind.all,
            needs: [.features([.eventRemap, .writeProtect, .writeProtectFiles]), .swap],
            remapWriteProtect
        ),
        Scenario(
            "event-remap-dontunmap",
            "With MREMAP_DONTUNMAP the old place stays registered, empty, and traps as the new one does.",
            on: MemoryKind.anonymous,
            needs: [.features(.eventRemap)],
            remapDontUnmap
        ),
    ]

    private static func remap(_ context: Context) throws(Failure) {
        let memory = try Memory(context.kind, pages: 3)
        let uffd = try Userfaultfd(features: .eventRemap)
        try uffd.register(memory.range, .missing)
        try expectMissing(context, uffd, memory, 0)
        let start = try memory.destination()
        let call = try BlockingCall {
            let range = memory.range
            return cuffd_mremap(range.start, range.length, range.length, MREMAP_MAYMOVE | MREMAP_FIXED, start)
        }
        try expectBlocked(context, call, uffd)
        try expect(context, uffd, .remap(from: memory.range.start, to: start, length: memory.range.length))
        try context.expectEqual(call.finish(), Int(start), "address that mremap(2) gave")
        let moved = memory.moved(to: start)
        try moved.check(0..<1, "the page moved")
        try expectMissing(context, uffd, moved, 1)
        try expectMissing(context, uffd, moved, 2)
        try context.expectErrno(.noEntry, "COPY to the old place") { () throws(Failure) in
            try uffd.copyPattern(memory, 1)
        }
        try context.expectNoMessage(uffd, "after one mremap(2)")
    }

    private static func remapOff(_ context: Context) throws(Failure) {
        let memory = try Memory(context.kind, pages: 3)
        let uffd = try Userfaultfd(features: [])
        try uffd.register(memory.range, .missing)
        try expectMissing(context, uffd, memory, 0)
        let moved = try memory.remapped()
        try moved.check(0..<1, "the page moved")
        try moved.checkZeroes(1..<3, "pages that were missing")
        try context.expectNoMessage(uffd, "after mremap(2) and accesses to the new place")
        // Free for another userfaultfd, so not registered any more.
        let other = try Userfaultfd(features: [])
        try other.register(moved.range, .missing)
    }

    private static func remapWriteProtect(_ context: Context) throws(Failure) {
        for withEvent in [true, false] {
            let memory = try Memory(context.kind, pages: 3)
            let features: Features = [.writeProtect, .writeProtectFiles]
            let uffd = try Userfaultfd(features: withEvent ? features.union(.eventRemap) : features)
            try uffd.register(memory.range, .writeProtect)
            try memory.populate()
            if !context.kind.isHugetlb && !context.kind.isTHP { try memory.swapOut(2..<3) }
            try uffd.writeProtect(memory.pages(0..<3))
            let blocked = try Access.write(memory, 0, offset: 64, 1)
            try context.expectFault(uffd, at: memory.address(0), [.writeProtect, .write])
            try uffd.writeProtect(memory.page(0), false)
            try blocked.finish()

            let monitor = try Monitor(uffd) { _ throws(Failure) in }
            let moved = try memory.remapped()
            try monitor.stop()
            try context.expectEqual(monitor.messages, withEvent ? 1 : 0, "messages of mremap(2)")
            moved.store(0, offset: 64, 2)
            for page in 1..<3 {
                try context.expect(moved.entry(page).isUffd == withEvent, "page \(page): armed is not \(withEvent)")
                let writer = try Access.write(moved, page, offset: 64, 3)
                if withEvent {
                    try context.expectFault(uffd, at: moved.address(page), [.writeProtect, .write])
                    try uffd.writeProtect(moved.page(page), false)
                }
                try writer.finish()
                try context.expectEqual(moved.load(page, offset: 64), 3, "byte written")
            }
            try moved.check(0..<3, "after mremap(2)")
            try context.expectNoMessage(uffd, "after writes that nobody protects")
        }
    }

    private static func remapDontUnmap(_ context: Context) throws(Failure) {
        let memory = try Memory(context.kind, pages: 3)
        let uffd = try Userfaultfd(features: .eventRemap)
        try uffd.register(memory.range, .missing)
        try expectMissing(context, uffd, memory, 0)
        let dontUnmap: Int32 = 4  // MREMAP_DONTUNMAP, 5.7
        let start = try memory.destination()
        let call = try BlockingCall {
            let flags = MREMAP_MAYMOVE | MREMAP_FIXED | dontUnmap
            return cuffd_mremap(memory.range.start, memory.range.length, memory.range.length, flags, start)
        }
        try expect(context, uffd, .remap(from: memory.range.start, to: start, length: memory.range.length))
        try context.expectEqual(call.finish(), Int(start), "address that mremap(2) gave")
        let moved = memory.moved(to: start)
        try moved.check(0..<1, "the page moved")
        try expectMissing(context, uffd, memory, 0, seed: 2)
        try expectMissing(context, uffd, moved, 1)
        try moved.check(0..<1, "the page moved, after its old place was filled")
    }
}
