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
            needs: [.file("/sys/kernel/mm/ksm/run", "CONFIG_KSM"), .ownMachine, .root],
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
            try KSM.merge(memory)
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

/// The kernel's samepage merging, by its files of /sys.
private enum KSM {
    private static let folder = "/sys/kernel/mm/ksm/"

    /// Lets ksmd run until all pages are in one frame, and stops it again.
    static func merge(_ memory: Memory) throws(Failure) {
        let sleep = try FileAccess.line(folder + "sleep_millisecs")
        defer { try? FileAccess.write(folder + "sleep_millisecs", sleep) }
        try FileAccess.write(folder + "sleep_millisecs", "0")
        try running("1") { () throws(Failure) in
            while true {
                let frames = try memory.frames()
                if frames.allSatisfy({ $0 == frames[0] && $0 != 0 }) { return }
                sched_yield()
            }
        }
    }

    /// Gives every merged page of the machine a frame of its own.
    static func unmergeAll() throws(Failure) {
        // The write returns when it is done.
        try running("2") { () throws(Failure) in }
    }

    /// Sets what ksmd does while `body` runs.
    private static func running(_ mode: String, _ body: () throws(Failure) -> Void) throws(Failure) {
        let before = try FileAccess.line(folder + "run")
        defer { try? FileAccess.write(folder + "run", before) }
        try FileAccess.write(folder + "run", mode)
        try body()
    }
}
