// SPDX-License-Identifier: GPL-2.0-only

import CUserfaultfd
import Userfaultfd

/// Protection when the mapping changes under it: mremap(2), mprotect(2), VMAs that split and merge, KSM.
extension WriteProtect {
    static let remapping: [Scenario] = [
        Scenario(
            "wp-mremap",
            "Without EVENT_REMAP moved memory arrives unregistered and writable, with its data.",
            on: MemoryKind.all,
            needs: [.features(Tracked.features)]
        ) { (context) throws(Failure) in
            let tracked = try Tracked(context)
            try tracked.protect()
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
        Scenario(
            "wp-mremap-event",
            "With EVENT_REMAP moved memory stays registered and protected, and its writes trap at the new address.",
            on: MemoryKind.all,
            needs: [.features(Tracked.features.union(.eventRemap))]
        ) { (context) throws(Failure) in
            let tracked = try Tracked(context, features: .eventRemap)
            let memory = tracked.memory
            try tracked.protect()
            try tracked.showTrap(1)
            let place = try memory.destination()
            // mremap(2) returns when its event has been read.
            let mover = try Thread { () throws(Failure) in _ = try memory.remapped(to: place) }
            let message = try tracked.uffd.next()
            let expected = Message.remap(
                from: memory.range.start,
                to: place,
                length: memory.range.length
            )
            try context.expect(message == expected, "expected the remap event, got \(message.description)")
            try mover.join()
            let moved = Tracked(tracked, memory: memory.moved(to: place))
            try moved.expectProtected(0..<memory.pages, "after mremap")
            try moved.memory.check("after mremap")
            try moved.expectTrap(1)
            try moved.expectTrap(memory.pages - 1)
        },
    ]

    static let protection: [Scenario] = [
        Scenario(
            "wp-mprotect-none",
            "PROT_NONE gives SIGSEGV and no message; back again, protected pages trap and others do not.",
            on: MemoryKind.all,
            needs: [.features(Tracked.features)]
        ) { (context) throws(Failure) in
            let tracked = try Tracked(context)
            try tracked.protect(0..<2)
            try tracked.changeProtection(PROT_NONE) { () throws(Failure) in
                for page in [0, 2] {
                    let address = tracked.memory.address(page)
                    try context.expectEqual(Probe.read(address).signal, SIGSEGV, "signal of a read")
                    try context.expectEqual(Probe.write(address, 1).signal, SIGSEGV, "signal of a write")
                }
            }
        },
        Scenario(
            "wp-mprotect-read",
            "PROT_READ: a write gives SIGSEGV and no message; back again, protected pages trap and others do not.",
            on: MemoryKind.all,
            needs: [.features(Tracked.features)]
        ) { (context) throws(Failure) in
            let tracked = try Tracked(context)
            try tracked.protect(0..<2)
            try tracked.changeProtection(PROT_READ) { () throws(Failure) in
                for page in [0, 2] {
                    let address = tracked.memory.address(page)
                    try context.expectEqual(Probe.read(address).signal, 0, "signal of a read")
                    try context.expectEqual(Probe.write(address, 1).signal, SIGSEGV, "signal of a write")
                }
            }
        },
        Scenario(
            "wp-mprotect-meanwhile",
            "Pages can be protected and resolved while they are PROT_NONE or PROT_READ.",
            on: MemoryKind.all,
            needs: [.features(Tracked.features)]
        ) { (context) throws(Failure) in
            for protection in [PROT_NONE, PROT_READ] {
                let tracked = try Tracked(context)
                try tracked.protect(2..<4)
                try tracked.changeProtection(protection) { () throws(Failure) in
                    try tracked.protect(0..<2)
                    try tracked.resolve(2..<4)
                }
                try tracked.uffd.unregister(tracked.memory.range)
                try tracked.memory.unmap()
            }
        },
        Scenario(
            "wp-vma-merge",
            "Registering a part splits the VMA; unregistering it leaves one VMA again.",
            on: MemoryKind.withoutHugetlb,
            needs: [.features(Tracked.features)]
        ) { (context) throws(Failure) in
            let uffd = try Userfaultfd(features: Tracked.features)
            let memory = try Memory(context.kind, pages: 4)
            try memory.populate()
            try context.expectEqual(try AddressSpace.mappings(in: memory.range), 1, "VMAs before registering")
            let tracked = Tracked(uffd: uffd, memory: memory, context: context)
            try uffd.register(memory.pages(1..<3), .writeProtect)
            try context.expectEqual(try AddressSpace.mappings(in: memory.range), 3, "VMAs while a part is registered")
            try tracked.protect(1..<3)
            try tracked.expectTrap(1)
            try uffd.unregister(memory.pages(1..<3))
            try context.expectEqual(try AddressSpace.mappings(in: memory.range), 1, "VMAs after unregistering")
            try tracked.expectProtected(0..<0, "after unregistering")
            memory.fill(seed: 2)
            try memory.check(seed: 2, "after unregistering")
        },
    ]

    static let merging: [Scenario] = [
        Scenario(
            "wp-ksm",
            "Pages that KSM merges keep their data; protected, each traps, and its write is seen in it alone.",
            on: [.anon],
            needs: [.features(Tracked.features), .file("/sys/kernel/mm/ksm/run", "CONFIG_KSM"), .ownMachine, .root]
        ) { (context) throws(Failure) in
            let tracked = try Tracked(context, populated: false)
            let memory = tracked.memory
            for page in 0..<memory.pages {
                for offset in 0..<basePageSize / 8 { cuffd_store64(memory.address(page) + offset * 8, 0x55AA) }
            }
            try tracked.protect()
            try memory.advise(memory.range, MADV_MERGEABLE)
            try memory.runKSM()
            for page in 0..<memory.pages { try context.expectEqual(memory.load(page), 0xAA, "byte of a merged page") }
            try tracked.protect()
            try tracked.expectProtected(0..<memory.pages, "merged, and protected again")
            try tracked.expectTrap(1, 0x77)
            for page in [0, 2, 3] { try context.expectEqual(memory.load(page), 0xAA, "byte of another merged page") }
            try tracked.expectProtected(without: 1, "after a write to one merged page")
            try tracked.expectTrap(2, 0x78)
            try context.expectEqual(memory.load(1), 0x77, "byte written first")
            try context.expectEqual(memory.load(0), 0xAA, "byte of a page that is merged still")
        }
    ]
}

extension Tracked {
    /// The same userfaultfd with other memory.
    init(_ other: Tracked, memory: Memory) {
        self.init(uffd: other.uffd, memory: memory, context: other.context)
    }

    /// The parts as they are.
    init(uffd: Userfaultfd, memory: Memory, context: Context) {
        self.uffd = uffd
        self.memory = memory
        self.context = context
    }

    /// Gives all memory this protection, runs `body`, and makes it writable again: then pages 0 and 1 must be protected,
    /// and no others.
    func changeProtection(_ protection: Int32, _ body: () throws(Failure) -> Void) throws(Failure) {
        try memory.protect(memory.range, protection)
        try body()
        try expectQuiet("while the mapping is not writable")
        try memory.protect(memory.range, PROT_READ | PROT_WRITE)
        try expectProtected(0..<2, "when it is writable again")
        try memory.check("when it is writable again")
        try expectNoTrap(2, offset: 16)
        try expectTrap(0, offset: 16)
        try expectTrap(1, offset: memory.pageSize - 9)
        try expectNoTrap(3, offset: 16)
        try memory.check("at the end")
    }
}

extension Memory {
    /// Lets ksmd run until all pages are in one frame, and stops it again.
    func runKSM() throws(Failure) {
        let folder = "/sys/kernel/mm/ksm/"
        let run = try FileAccess.line(folder + "run")
        let sleep = try FileAccess.line(folder + "sleep_millisecs")
        defer {
            try? FileAccess.write(folder + "run", run)
            try? FileAccess.write(folder + "sleep_millisecs", sleep)
        }
        try FileAccess.write(folder + "sleep_millisecs", "0")
        try FileAccess.write(folder + "run", "1")
        while true {
            let frames = try self.frames()
            if frames.allSatisfy({ $0 == frames[0] && $0 != 0 }) { return }
            sched_yield()
        }
    }
}
