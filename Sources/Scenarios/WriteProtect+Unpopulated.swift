// SPDX-License-Identifier: GPL-2.0-only

import CUserfaultfd
import Userfaultfd

/// Protection of addresses without a page: always for file memory, by WP_UNPOPULATED for anonymous memory.
extension WriteProtect {
    static let unpopulated: [Scenario] = [
        tracked(
            "wp-unpopulated-off",
            "Without WP_UNPOPULATED, protecting unpopulated anonymous memory does nothing: the first write passes.",
            on: MemoryKind.anonymous,
            populated: false
        ) { (_, tracked) throws(Failure) in
            try tracked.expectProtected(0..<0, "after protecting unpopulated memory")
            try tracked.expectNoTrap(1)
            try tracked.protect()
            try tracked.expectTrap(1)
        },
        tracked(
            "wp-unpopulated",
            "Unpopulated pages that were protected trap at their first write and read as zeroes before and after.",
            features: .writeProtectUnpopulated,
            populated: false
        ) { (context, tracked) throws(Failure) in
            let memory = tracked.memory
            try tracked.expectProtected(0..<memory.pages, "after protecting unpopulated memory")
            try tracked.expectTrap(1)
            try context.expectEqual(memory.load(1, offset: 8), 0, "byte beside the written one")
            try tracked.memory.checkZeroes(2..<memory.pages, "pages that nobody wrote")
            try tracked.expectQuiet("after reads of unpopulated pages")
            try tracked.expectTrap(2)
            try tracked.expectTrap(memory.pages - 1)
        },
        tracked(
            "wp-unpopulated-part",
            "Only the unpopulated pages that were protected trap; those around them do not.",
            features: .writeProtectUnpopulated,
            populated: false,
            protected: false
        ) { (_, tracked) throws(Failure) in
            try tracked.protect(1..<3)
            try tracked.expectProtected(1..<3, "after protecting two unpopulated pages")
            try tracked.expectNoTrap(0)
            try tracked.expectNoTrap(3)
            try tracked.expectTrap(1)
            try tracked.expectTrap(2)
        },
        tracked(
            "wp-unpopulated-resolve",
            "Resolving unpopulated pages takes their protection back: the first write passes.",
            features: .writeProtectUnpopulated,
            populated: false
        ) { (_, tracked) throws(Failure) in
            try tracked.resolve(0..<2)
            try tracked.expectProtected(2..<tracked.memory.pages, "after resolving two pages")
            try tracked.expectNoTrap(0)
            try tracked.expectNoTrap(1)
            try tracked.expectTrap(2)
        },
        tracked(
            "wp-unpopulated-unregister",
            "Unregistering unpopulated protected memory leaves it writable and without a stale bit.",
            features: .writeProtectUnpopulated,
            populated: false
        ) { (_, tracked) throws(Failure) in
            let memory = tracked.memory
            try tracked.expectTrap(0)
            try tracked.uffd.unregister(memory.range)
            try tracked.expectProtected(0..<0, "after unregistering")
            memory.fill(seed: 2)
            try memory.check(seed: 2, "after unregistering")
            try tracked.uffd.register(memory.range, .writeProtect)
            try tracked.expectProtected(0..<0, "after registering again")
            try tracked.expectNoTrap(1)
        },
        tracked(
            "wp-zero-page",
            "A page that is the zero page traps when it is protected, and its write gets a page of its own.",
            on: MemoryKind.anonymous + [.shmemPrivate],
            populated: false,
            protected: false
        ) { (_, tracked) throws(Failure) in
            let memory = tracked.memory
            try memory.checkZeroes(0..<memory.pages, "before protecting")
            try tracked.protect()
            try tracked.expectProtected(0..<memory.pages, "after protecting the zero page")
            try tracked.expectTrap(1)
            try tracked.expectTrap(2, offset: 4095)
            try memory.checkZeroes(3..<memory.pages, "pages that nobody wrote")
            try memory.checkZeroes(0..<1, "the page before")
        },
    ]

    /// What happens to protection when the page behind it goes.
    static let markers: [Scenario] = [
        tracked(
            "wp-dontneed",
            "MADV_DONTNEED of anonymous memory drops page and protection: it reads as zeroes, and a write passes.",
            on: MemoryKind.anonymous
        ) { (context, tracked) throws(Failure) in
            let memory = tracked.memory
            try tracked.showTrap(1)
            try memory.advise(memory.pages(1..<3), MADV_DONTNEED)
            for page in 1..<3 {
                try context.expect(try !memory.entry(page).isUffd, "DONTNEED kept bit 57 of page \(page)")
            }
            try memory.checkZeroes(1..<3, "after DONTNEED")
            try tracked.expectNoTrap(1)
            try memory.check(3..<memory.pages, "beside DONTNEED")
            try tracked.expectTrap(0)
            try tracked.expectTrap(3)
        },
        tracked(
            "wp-dontneed-unpopulated",
            "MADV_DONTNEED of unpopulated anonymous memory drops its protection too.",
            on: MemoryKind.anonymous,
            features: .writeProtectUnpopulated,
            populated: false
        ) { (_, tracked) throws(Failure) in
            try tracked.memory.advise(tracked.memory.pages(1..<3), MADV_DONTNEED)
            try tracked.expectNoTrap(1)
            try tracked.expectTrap(0)
            try tracked.expectTrap(3)
        },
        tracked(
            "wp-dontneed-file",
            "MADV_DONTNEED of file memory unmaps the page and keeps its protection: the next write traps.",
            on: MemoryKind.files
        ) { (context, tracked) throws(Failure) in
            let memory = tracked.memory
            try tracked.showTrap(1)
            try memory.advise(memory.range, MADV_DONTNEED)
            try context.expect(try !memory.entry(1).isPresent, "DONTNEED left the page mapped")
            try tracked.expectProtected(0..<memory.pages, "after DONTNEED")
            if context.kind.isShared {
                try memory.check("after DONTNEED")
            } else {
                try memory.checkZeroes(0..<memory.pages, "after DONTNEED of private pages")
            }
            try tracked.expectTrap(1)
            try tracked.expectTrap(2, offset: memory.pageSize - 1)
        },
        tracked(
            "wp-remove",
            "MADV_REMOVE punches the page out of the file: it reads as zeroes, and can be protected and trap again.",
            on: MemoryKind.shared
        ) { (_, tracked) throws(Failure) in
            let memory = tracked.memory
            try tracked.showTrap(1)
            try memory.advise(memory.pages(1..<3), MADV_REMOVE)
            try memory.checkZeroes(1..<3, "after MADV_REMOVE")
            try memory.check(0..<1, "before the hole")
            try memory.check(3..<memory.pages, "after the hole")
            try tracked.expectTrap(0)
            try tracked.expectTrap(3)
            try tracked.protect(1..<3)
            try tracked.expectTrap(1)
            try tracked.expectTrap(2)
        },
    ]
}
