// SPDX-License-Identifier: GPL-2.0-only

import CUserfaultfd
import Userfaultfd

/// What a synchronous write-protection fault says, who gets one, and what resolving does.
extension WriteProtect {
    static let messages: [Scenario] = [
        tracked(
            "wp-message",
            "A write to a protected page delivers its address with WRITE and WP set, at every page's first and last byte.",
            protected: false
        ) { (_, tracked) throws(Failure) in
            let last = tracked.memory.pages - 1
            for (page, offset) in [(0, 0), (1, tracked.memory.pageSize - 1), (last, 0), (last, 4095)] {
                try tracked.protect()
                try tracked.expectTrap(page, offset: offset)
            }
        },
        tracked(
            "wp-message-exact",
            "With EXACT_ADDRESS the message carries the very address that was written.",
            features: .exactAddress
        ) { (context, tracked) throws(Failure) in
            let offset = tracked.memory.pageSize - 3
            let thread = try tracked.writer(1, offset: offset, 7)
            let fault = try tracked.uffd.nextFault()
            try context.expectEqual(fault.address, tracked.memory.address(1) + offset, "address of the fault")
            context.sawTrap()
            try tracked.resolve()
            try thread.join()
            try context.expectEqual(tracked.memory.load(1, offset: offset), 7, "byte written")
        },
        tracked(
            "wp-message-thread",
            "With THREAD_ID the message names the thread that wrote.",
            on: [.anon, .shmem],
            features: .threadID
        ) { (context, tracked) throws(Failure) in
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
        tracked(
            "wp-read",
            "Reads of protected pages do not trap and see the data; a write after them does trap."
        ) { (_, tracked) throws(Failure) in
            try tracked.memory.check("while protected")
            try tracked.expectQuiet("after reads")
            try tracked.expectProtected(0..<tracked.memory.pages, "after reads")
            try tracked.expectTrap(1)
        },
        tracked(
            "wp-range",
            "Protecting some pages leaves their neighbours writable; resolving one leaves its neighbours protected.",
            protected: false
        ) { (_, tracked) throws(Failure) in
            try tracked.protect(1..<3)
            try tracked.expectProtected(1..<3, "after protecting two pages")
            try tracked.expectNoTrap(0)
            try tracked.expectNoTrap(3)
            try tracked.expectTrap(1)
            try tracked.expectProtected(2..<3, "after one of two was resolved")
            try tracked.expectTrap(2, offset: tracked.memory.pageSize - 1)
            try tracked.memory.check(4..<tracked.memory.pages, "pages that nobody wrote")
        },
        tracked(
            "wp-again",
            "A page that was resolved can be protected again, and traps again; protecting twice changes nothing.",
            protected: false
        ) { (_, tracked) throws(Failure) in
            for round in 0..<3 {
                try tracked.protect()
                try tracked.protect()
                try tracked.expectTrap(round % 2, offset: 100, UInt8(round + 1))
                try tracked.expectNoTrap(round % 2, offset: 200)
            }
        },
        tracked(
            "wp-frame",
            "Protecting and resolving leave each page in its frame, with its data.",
            needs: [.root],
            protected: false
        ) { (context, tracked) throws(Failure) in
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
