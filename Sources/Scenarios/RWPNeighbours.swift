// SPDX-License-Identifier: GPL-2.0-only

import CUserfaultfd
import Userfaultfd

/// VMAs side by side that could be one, were they registered alike (rules G5, L4).
enum RWPNeighbours {
    static let scenarios: [Scenario] = [
        Scenario(
            "rwp-register-neighbours",
            "beside a VMA of one userfaultfd that is registered for all but RWP, an RWP one stays its own",
            rules: "G5 G3 P4",
            on: MemoryKind.all,
            needs: Need.rwp,
            neighbours
        ),
        Scenario(
            "rwp-mremap-event-neighbour",
            "with EVENT_REMAP a VMA that moves beside an unregistered one stays registered, and armed",
            rules: "L4 F1",
            on: MemoryKind.all,
            needs: Need.rwp + [.features(.eventRemap)],
            moved
        ),
    ]

    private static func neighbours(_ context: Context) throws(Failure) {
        try Protected(context, async: false).showTrap()
        for rwpFirst in [true, false] {
            let protected = try Protected(context, async: false, mode: .missing)
            let (uffd, memory) = (protected.uffd, protected.memory)
            let (rwp, other) = rwpFirst ? (0..<2, 2..<4) : (2..<4, 0..<2)
            try uffd.unregister(memory.range)
            for half in [0..<2, 2..<4] {
                let mode: RegisterMode = half == rwp ? [.missing, .readWriteProtect] : .missing
                try uffd.register(memory.chunks(half), mode)
            }
            try context.expectEqual(try AddressSpace.mappings(in: memory.range), 2, "VMAs of two modes")
            for half in [rwp, other] {
                let isRWP = try AddressSpace.isReadWriteProtect(at: memory.chunks(half).start)
                try context.expect(isRWP == (half == rwp), "smaps of chunks \(half.lowerBound)...")
            }
            for part in [0..<4, other] {
                try context.expectErrno(.noEntry, "arming what is not for RWP") { () throws(Failure) in
                    try uffd.readWriteProtect(memory.chunks(part))
                }
            }
            try protected.arm(rwp)
            for chunk in other { protected.loadAll(chunk) }
            try protected.expectNoMessage("access of what is not for RWP")
            for chunk in rwp { try protected.expectTrap(chunk, .read) }
            try memory.check("at the end")
        }
    }

    /// The second half moves away, and back to where it was one VMA with the first.
    private static func moved(_ context: Context) throws(Failure) {
        let protected = try Protected(context, async: false, features: .eventRemap)
        let (uffd, memory) = (protected.uffd, protected.memory)
        try protected.showTrap()
        try uffd.unregister(memory.chunks(0..<2))
        try protected.arm(2..<4)
        let here = memory.chunks(2..<4)
        let away = AddressRange(start: try memory.destination(), length: here.length)
        for (old, new) in [(here, away), (away, here)] {
            let call = try BlockingCall {
                Int(cuffd_mremap(old.start, old.length, old.length, MREMAP_MAYMOVE | MREMAP_FIXED, new.start))
            }
            // It returns when somebody has read its event.
            var message: Message?
            while message == nil {
                let isOver = call.isFinished
                message = try uffd.poll()
                if isOver { break }
            }
            let expected = Message.remap(from: old.start, to: new.start, length: old.length)
            try context.expect(message == expected, "mremap sent \(message?.description ?? "no event")")
            try context.expectEqual(UInt(bitPattern: try call.finish()), new.start, "mremap")
        }
        try context.expectEqual(try AddressSpace.mappings(in: memory.range), 2, "VMAs of different registration")
        try memory.expectUffdBit(on: memory.pageNumbers(2..<4), context, "moved back")
        for chunk in 2..<4 { try protected.expectTrap(chunk, .write(3), offset: 100) }
        try memory.check("at the end")
    }
}
