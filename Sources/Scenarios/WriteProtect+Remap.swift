// SPDX-License-Identifier: GPL-2.0-only

import CUserfaultfd
import Userfaultfd

/// Protection of memory that mremap(2) moves, as a whole or in part.
extension WriteProtect {
    static let remapping: [Scenario] = [
        tracked(
            "wp-mremap",
            "Without EVENT_REMAP moved memory arrives unregistered and writable, with its data."
        ) { (context, tracked) throws(Failure) in
            try tracked.showTrap(1)
            let moved = try tracked.memory.remapped()
            try moved.expectUffdBit(on: 0..<0, context, "after mremap")
            try moved.check("after mremap")
            moved.fill(seed: 2)
            try moved.check(seed: 2, "after writing")
            try tracked.expectQuiet("after writing")
            try context.expectErrno(.noEntry, "WRITEPROTECT of moved memory") { () throws(Failure) in
                try tracked.uffd.writeProtect(moved.range)
            }
        },
        tracked(
            "wp-mremap-event",
            "With EVENT_REMAP moved memory stays registered and protected, and its writes trap at the new address.",
            features: .eventRemap
        ) { (context, tracked) throws(Failure) in
            let memory = tracked.memory
            try tracked.showTrap(1)
            let place = try memory.destination()
            try tracked.moveWithEvent(memory.range, to: place)
            let moved = Tracked(tracked, memory: memory.moved(to: place))
            try moved.expectProtected(0..<memory.pages, "after mremap")
            try moved.memory.check("after mremap")
            try moved.expectTrap(1)
            try moved.expectTrap(memory.pages - 1)
        },
        tracked(
            "wp-mremap-part",
            "A page moved away without EVENT_REMAP arrives writable; what it leaves beside it stays protected."
        ) { (context, tracked) throws(Failure) in
            let memory = tracked.memory
            try tracked.showTrap(1)
            let moved = try memory.remapped(page: 1, to: memory.destination())
            try context.expectEqual(try AddressSpace.mappings(in: memory.range), 2, "VMAs beside the page moved")
            try context.expect(try !moved.entry(1).isUffd, "the page moved is protected")
            try moved.check(1..<2, "the page moved")
            moved.store(1, offset: 16, 0x5A)
            try tracked.expectQuiet("after a write to the page moved")
            try tracked.expectProtectedBeside(1)
        },
        tracked(
            "wp-mremap-part-event",
            "A page moved away with EVENT_REMAP traps at its new place, and those beside it where they were.",
            features: .eventRemap
        ) { (context, tracked) throws(Failure) in
            let memory = tracked.memory
            let place = try memory.destination()
            try tracked.moveWithEvent(memory.page(1), to: place)
            let moved = Tracked(tracked, memory: memory.viewed(page: 1, at: place))
            try context.expect(try moved.memory.entry(1).isUffd, "the page moved is not protected")
            try moved.memory.check(1..<2, "the page moved")
            try moved.expectTrap(1, offset: 16)
            try tracked.expectProtectedBeside(1)
        },
    ]
}

extension Tracked {
    /// Lets a thread move a range to `place`, and reads the event of it, which mremap(2) waits for.
    fileprivate func moveWithEvent(_ range: AddressRange, to place: UInt) throws(Failure) {
        let mover = try Thread { () throws(Failure) in try range.move(to: place) }
        let expected = Message.remap(from: range.start, to: place, length: range.length)
        let message = try uffd.next()
        try context.expect(message == expected, "expected \(expected.description), got \(message.description)")
        try mover.join()
    }

    /// Fails unless the pages before and behind this one, which is not there any more, are protected and trap.
    fileprivate func expectProtectedBeside(_ gone: Int) throws(Failure) {
        for page in 0..<memory.pages where page != gone {
            try context.expect(try memory.entry(page).isUffd, "page \(page), which was not moved, is not protected")
        }
        try memory.check(0..<gone, "before the page moved")
        try memory.check((gone + 1)..<memory.pages, "behind the page moved")
        try expectTrap(gone - 1, offset: memory.pageSize - 1)
        try expectTrap(gone + 1)
    }
}
