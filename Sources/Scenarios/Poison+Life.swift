// SPDX-License-Identifier: GPL-2.0-only

import CUserfaultfd
import Userfaultfd

/// What poison survives, and what clears it.
extension Poison {
    static let lifeScenarios: [Scenario] = [
        Scenario(
            "poison-unregister",
            "Poison stays when its range is unregistered and the userfaultfd closed.",
            on: MemoryKind.all,
            needs: needs,
            unregister
        ),
        Scenario(
            "poison-drop",
            "MADV_DONTNEED clears poison: the address is missing again and can be filled.",
            on: MemoryKind.all,
            needs: needs,
            drop
        ),
        Scenario(
            "poison-fork",
            "A child inherits the poison of private memory; clearing it on one side leaves the other's.",
            on: [.anon, .anonTHP, .shmemPrivate, .hugetlbPrivate],
            needs: needs,
            fork
        ),
        Scenario(
            "poison-mremap",
            "Poison moves with mremap(2), whether the move is an event or not.",
            on: MemoryKind.all,
            needs: needs,
            remap
        ),
        Scenario(
            "poison-mprotect",
            "mprotect(2) to none, to read-only and back leaves poison and its neighbours as they were.",
            on: MemoryKind.all,
            needs: needs,
            protect
        ),
        Scenario(
            "poison-wp",
            "WRITEPROTECT over poison neither clears it nor arms it, and still protects its neighbours.",
            on: MemoryKind.all,
            needs: [.features([.poison, .writeProtect, .writeProtectFiles])],
            writeProtect
        ),
        Scenario(
            "poison-reclaim",
            "Swapping out and collapsing the pages around poison leaves it, and them.",
            on: MemoryKind.swappable,
            needs: needs + [.swap],
            reclaim
        ),
    ]

    private static func unregister(_ context: Context) throws(Failure) {
        let memory = try Memory(context.kind, pages: 2)
        let uffd = try register(memory)
        try uffd.poison(memory.page(1))
        try expectPoisoned(context, memory, 1..<2, "at first")
        try uffd.unregister(memory.range)
        try expectPoisoned(context, memory, 1..<2, "after UNREGISTER")
        memory.fill(0..<1)
        try memory.check(0..<1, "beside the poison")
        try uffd.register(memory.range, .missing)
        try expectPoisoned(context, memory, 1..<2, "registered again")
        uffd.close()
        try expectPoisoned(context, memory, 1..<2, "after close(2)")
    }

    private static func drop(_ context: Context) throws(Failure) {
        let memory = try Memory(context.kind, pages: 3)
        let uffd = try register(memory)
        try uffd.poison(memory.pages(0..<3))
        try expectPoisoned(context, memory, 0..<3, "at first")
        try memory.advise(memory.page(1), MADV_DONTNEED)
        let reader = try Access.read(memory, 1)
        try context.expectFault(uffd, at: memory.address(1), [])
        try uffd.copyPattern(memory, 1)
        try reader.finish()
        try memory.check(1..<2, "after MADV_DONTNEED and COPY")
        try expectPoisoned(context, memory, 0..<1, "before the page dropped")
        try expectPoisoned(context, memory, 2..<3, "behind the page dropped")
    }

    private static func fork(_ context: Context) throws(Failure) {
        let memory = try Memory(context.kind, pages: 3)
        let uffd = try register(memory)
        try uffd.copyPattern(memory, 0)
        try uffd.poison(memory.pages(1..<3))
        let child = try Child { () throws(Failure) in
            try expectPoisoned(context, memory, 1..<3, "in the child")
            try memory.check(0..<1, "the page that the child inherited")
            try memory.advise(memory.page(2), MADV_DONTNEED)
            memory.fill(2..<3)
            try memory.check(2..<3, "in the child, after MADV_DONTNEED")
            return 0
        }
        try child.waitForSuccess()
        try expectPoisoned(context, memory, 1..<3, "in the parent")
        try memory.check(0..<1, "the parent's page")
    }

    private static func remap(_ context: Context) throws(Failure) {
        for features: Features in [[], .eventRemap] {
            let memory = try Memory(context.kind, pages: 4)
            let uffd = try register(memory, features: features)
            try uffd.copyPattern(memory, 0)
            try uffd.poison(memory.page(1))
            try expectPoisoned(context, memory, 1..<2, "at first")
            let monitor = try Monitor(uffd) { _ throws(Failure) in }
            let moved = try memory.remapped()
            try monitor.stop()
            try context.expectEqual(monitor.messages, features.isEmpty ? 0 : 1, "messages of mremap(2)")
            try expectPoisoned(context, moved, 1..<2, "after mremap(2)")
            try moved.check(0..<1, "the page before the poison, moved")
        }
    }

    private static func protect(_ context: Context) throws(Failure) {
        let memory = try Memory(context.kind, pages: 3)
        let uffd = try register(memory)
        try uffd.copyPattern(memory, 0)
        try uffd.poison(memory.page(1))
        try expectPoisoned(context, memory, 1..<2, "at first")
        try memory.protect(memory.range, PROT_NONE)
        try context.expectEqual(Probe.read(memory.address(1)).signal, SIGSEGV, "signal of an inaccessible page")
        try memory.protect(memory.range, PROT_READ)
        try context.expectEqual(Probe.read(memory.address(1)).signal, SIGBUS, "signal of poison, read-only")
        try memory.check(0..<1, "before the poison, read-only")
        try memory.protect(memory.range, PROT_READ | PROT_WRITE)
        try expectPoisoned(context, memory, 1..<2, "after mprotect(2)")
        memory.fill(0..<1, seed: 2)
        try memory.check(0..<1, seed: 2, "before the poison")
        let reader = try Access.read(memory, 2)
        try context.expectFault(uffd, at: memory.address(2), [])
        try uffd.copyPattern(memory, 2)
        try reader.finish()
    }

    private static func writeProtect(_ context: Context) throws(Failure) {
        let memory = try Memory(context.kind, pages: 3)
        let features: Features = [.writeProtect, .writeProtectFiles]
        let uffd = try register(memory, [.missing, .writeProtect], features: features)
        try uffd.copyPattern(memory, 0)
        try uffd.poison(memory.page(1))
        try uffd.copyPattern(memory, 2)
        try uffd.writeProtect(memory.pages(0..<3))
        try expectPoisoned(context, memory, 1..<2, "after WRITEPROTECT")
        try context.expect(!memory.entry(1).isUffd, "pagemap shows poison as write-protected")
        for page in [0, 2] {
            let writer = try Access.write(memory, page, offset: 64, 1)
            try context.expectFault(uffd, at: memory.address(page), [.writeProtect, .write])
            try uffd.writeProtect(memory.page(page), false)
            try writer.finish()
        }
        try uffd.writeProtect(memory.pages(0..<3), false)
        try expectPoisoned(context, memory, 1..<2, "after the protection was lifted")
        try memory.check(0..<1, "before the poison")
        try memory.check(2..<3, "behind the poison")
    }

    private static func reclaim(_ context: Context) throws(Failure) {
        let memory = try Memory(context.kind, pages: 4)
        let uffd = try register(memory)
        for page in [0, 2, 3] { try uffd.copyPattern(memory, page) }
        try uffd.poison(memory.page(1))
        let cold: Int32 = 20  // MADV_COLD, 5.4
        let pageout: Int32 = 21  // MADV_PAGEOUT, 5.4
        try memory.advise(memory.range, cold)
        try memory.advise(memory.range, pageout)
        try expectPoisoned(context, memory, 1..<2, "after MADV_PAGEOUT")
        try memory.swapOut(2..<4)
        try memory.check(2..<4, "swapped in")
        if context.kind.isTHP {
            for page in 4..<memory.pages { try uffd.copyPattern(memory, page) }
            let collapse: Int32 = 25  // MADV_COLLAPSE, 6.1
            try context.expect(
                madvise(UnsafeMutableRawPointer(bitPattern: memory.range.start), Int(memory.range.length), collapse)
                    < 0,
                "MADV_COLLAPSE over poison succeeded"
            )
        }
        try expectPoisoned(context, memory, 1..<2, "at the end")
        try memory.check(0..<1, "before the poison")
        try memory.check(2..<4, "behind the poison")
    }
}
