// SPDX-License-Identifier: GPL-2.0-only

import CUserfaultfd
import Userfaultfd

/// What a synchronous write-protection fault says, who gets one, and what resolving does.
extension WriteProtect {
    static let messages: [Scenario] = [
        Scenario(
            "wp-message",
            "A write to a protected page delivers its address with WRITE and WP set, at every page's first and last byte.",
            on: MemoryKind.all,
            needs: [.features(Tracked.features)]
        ) { (context) throws(Failure) in
            let tracked = try Tracked(context)
            let last = tracked.memory.pages - 1
            for (page, offset) in [(0, 0), (1, tracked.memory.pageSize - 1), (last, 0), (last, 4095)] {
                try tracked.protect()
                try tracked.expectTrap(page, offset: offset)
            }
        },
        Scenario(
            "wp-message-exact",
            "With EXACT_ADDRESS the message carries the very address that was written.",
            on: MemoryKind.all,
            needs: [.features(Tracked.features.union(.exactAddress))]
        ) { (context) throws(Failure) in
            let tracked = try Tracked(context, features: .exactAddress)
            try tracked.protect()
            let offset = tracked.memory.pageSize - 3
            let thread = try tracked.writer(1, offset: offset, 7)
            let fault = try tracked.uffd.nextFault()
            try context.expectEqual(fault.address, tracked.memory.address(1) + offset, "address of the fault")
            context.sawTrap()
            try tracked.resolve()
            try thread.join()
            try context.expectEqual(tracked.memory.load(1, offset: offset), 7, "byte written")
        },
        Scenario(
            "wp-message-thread",
            "With THREAD_ID the message names the thread that wrote.",
            on: [.anon, .shmem],
            needs: [.features(Tracked.features.union(.threadID))]
        ) { (context) throws(Failure) in
            let tracked = try Tracked(context, features: .threadID)
            try tracked.protect()
            for page in 0..<2 {
                let thread = try tracked.writer(page, 1)
                guard case .pageFault(_, _, let identifier) = try tracked.uffd.next() else {
                    throw Failure("expected a page fault")
                }
                try context.expectEqual(Int32(bitPattern: identifier), thread.kernelID, "thread of the message")
                context.sawTrap()
                try tracked.resolve(page..<(page + 1))
                try thread.join()
            }
        },
        Scenario(
            "wp-read",
            "Reads of protected pages do not trap and see the data; a write after them does trap.",
            on: MemoryKind.all,
            needs: [.features(Tracked.features)]
        ) { (context) throws(Failure) in
            let tracked = try Tracked(context)
            try tracked.protect()
            try tracked.memory.check("while protected")
            try tracked.expectQuiet("after reads")
            try tracked.expectProtected(0..<tracked.memory.pages, "after reads")
            try tracked.expectTrap(1)
        },
        Scenario(
            "wp-range",
            "Protecting some pages leaves their neighbours writable; resolving one leaves its neighbours protected.",
            on: MemoryKind.all,
            needs: [.features(Tracked.features)]
        ) { (context) throws(Failure) in
            let tracked = try Tracked(context)
            try tracked.protect(1..<3)
            try tracked.expectProtected(1..<3, "after protecting two pages")
            try tracked.expectNoTrap(0)
            try tracked.expectNoTrap(3)
            try tracked.expectTrap(1)
            try tracked.expectProtected(2..<3, "after one of two was resolved")
            try tracked.expectTrap(2, offset: tracked.memory.pageSize - 1)
            try tracked.memory.check(4..<tracked.memory.pages, "pages that nobody wrote")
        },
        Scenario(
            "wp-again",
            "A page that was resolved can be protected again, and traps again; protecting twice changes nothing.",
            on: MemoryKind.all,
            needs: [.features(Tracked.features)]
        ) { (context) throws(Failure) in
            let tracked = try Tracked(context)
            for round in 0..<3 {
                try tracked.protect()
                try tracked.protect()
                try tracked.expectTrap(round % 2, offset: 100, UInt8(round + 1))
                try tracked.expectNoTrap(round % 2, offset: 200)
            }
        },
        Scenario(
            "wp-frame",
            "Protecting and resolving leave each page in its frame, with its data.",
            on: MemoryKind.all,
            needs: [.features(Tracked.features), .root]
        ) { (context) throws(Failure) in
            let tracked = try Tracked(context)
            let memory = tracked.memory
            let before = try memory.frames()
            try tracked.protect()
            try memory.check("while protected")
            try context.expect(try memory.frames() == before, "a page changed its frame when it was protected")
            try tracked.resolve()
            try memory.check("after resolving")
            try context.expect(try memory.frames() == before, "a page changed its frame when it was resolved")
            try tracked.protect()
            try tracked.expectTrap(0)
            try context.expect(try memory.frames() == before, "a page changed its frame when it was written")
        },
    ]
}

extension Memory {
    /// The frame number of every page; 0 where none is present.
    func frames() throws(Failure) -> [UInt64] {
        let pagemap = try Pagemap()
        defer { pagemap.close() }
        var frames: [UInt64] = []
        for page in 0..<pages {
            frames.append(try pagemap.entry(address(page)).frame)
        }
        return frames
    }
}
