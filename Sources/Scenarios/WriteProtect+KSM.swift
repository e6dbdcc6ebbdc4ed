// SPDX-License-Identifier: GPL-2.0-only

import CUserfaultfd
import Userfaultfd

/// Protection of pages that KSM merges (Documentation/admin-guide/mm/ksm.rst). ksmd is the machine's, so these run on one
/// of their own.
extension WriteProtect {
    static let merging: [Scenario] = [
        merged("wp-ksm", "Merged pages that are protected trap, each by itself, and a write is seen in one alone.") {
            (context, tracked) throws(Failure) in
            let memory = tracked.memory
            try tracked.expectTrap(1, 0x77)
            for page in [0, 2, 3] { try context.expectEqual(memory.load(page), 0xAA, "byte of another merged page") }
            try tracked.expectProtected(without: 1, "after a write to one merged page")
            try tracked.expectTrap(2, 0x78)
            try context.expectEqual(memory.load(1), 0x77, "byte written first")
            try context.expectEqual(memory.load(0), 0xAA, "byte of a page that is merged still")
        },
        merged("wp-ksm-unmerge", "MADV_UNMERGEABLE gives each page a frame of its own again, protected as it was.") {
            (_, tracked) throws(Failure) in
            try tracked.memory.advise(tracked.memory.range, MADV_UNMERGEABLE)
            try tracked.expectUnmerged()
        },
        merged("wp-ksm-unmerge-all", "Unmerging all pages of the machine (ksm/run = 2) leaves them protected.") {
            (_, tracked) throws(Failure) in
            try KSM.unmergeAll()
            try tracked.expectUnmerged()
        },
    ]

    /// A scenario of equal pages that KSM has merged into one frame and that are protected.
    private static func merged(
        _ name: StaticString,
        _ summary: StaticString,
        _ body: @escaping @Sendable (Context, Tracked) throws(Failure) -> Void
    ) -> Scenario {
        tracked(
            name,
            summary,
            on: [.anon],
            needs: KSM.needs,
            populated: false,
            protected: false
        ) { (context, tracked) throws(Failure) in
            let memory = tracked.memory
            for page in 0..<memory.pages {
                for offset in 0..<basePageSize / 8 { cuffd_store64(memory.address(page) + offset * 8, 0x55AA) }
            }
            // Protected pages are merged, too.
            try tracked.protect()
            try memory.advise(memory.range, MADV_MERGEABLE)
            try KSM.merge(memory, 0..<memory.pages)
            for page in 0..<memory.pages { try context.expectEqual(memory.load(page), 0xAA, "byte of a merged page") }
            try tracked.protect()
            try tracked.expectProtected(0..<memory.pages, "merged, and protected again")
            try body(context, tracked)
        }
    }
}

extension Tracked {
    /// Fails unless every page has a frame of its own and its data, is protected, and traps.
    fileprivate func expectUnmerged() throws(Failure) {
        let frames = try memory.frames()
        for page in 0..<memory.pages {
            try context.expect(!frames[..<page].contains(frames[page]), "page \(page) shares a frame still")
            try context.expectEqual(memory.load(page), 0xAA, "byte of a page that was merged")
        }
        try expectQuiet("after unmerging")
        try expectProtected(0..<memory.pages, "after unmerging")
        for page in 0..<memory.pages { try expectTrap(page) }
    }
}
