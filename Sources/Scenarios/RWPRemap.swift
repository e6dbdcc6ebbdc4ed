// SPDX-License-Identifier: GPL-2.0-only

import CUserfaultfd
import Userfaultfd

/// mremap(2), UFFDIO_MOVE and the ioctls that fill (rules L4, L5).
enum RWPRemap {
    static let scenarios: [Scenario] = [
        Scenario(
            "rwp-mremap-plain",
            "without EVENT_REMAP the destination is accessible and unregistered",
            rules: "L4",
            on: MemoryKind.all,
            needs: Need.rwp
        ) { (context) throws(Failure) in try plain(context, none: false) },
        Scenario(
            "rwp-none-mremap",
            "without EVENT_REMAP, while PROT_NONE: the destination is accessible as soon as it is made so",
            rules: "F3 L4",
            on: MemoryKind.all,
            needs: Need.rwp
        ) { (context) throws(Failure) in try plain(context, none: true) },
        Scenario(
            "rwp-mremap-event",
            "with EVENT_REMAP the destination is armed and traps at its new address",
            rules: "L4 F1",
            on: MemoryKind.all,
            needs: Need.rwp + [.features(.eventRemap)],
            event
        ),
        Scenario(
            "rwp-mremap-neighbour",
            "a VMA that is moved beside a registered one loses its own registration and not the neighbour's",
            rules: "L4 L6 F1",
            on: MemoryKind.all,
            needs: Need.rwp,
            neighbour
        ),
        Scenario(
            "rwp-mremap-tables",
            "without EVENT_REMAP, where a whole page table would move, or a directory of tables: nothing stays armed",
            rules: "L4",
            on: MemoryKind.base,
            needs: Need.rwp
        ) { (context) throws(Failure) in try tables(context, moved: false) },
        Scenario(
            "rwp-mremap-tables-event",
            "with EVENT_REMAP, where a whole page table moves, or a directory of tables: everything stays armed",
            rules: "L4 F1",
            on: MemoryKind.base,
            needs: Need.rwp + [.features(.eventRemap)]
        ) { (context) throws(Failure) in try tables(context, moved: true) },
        Scenario(
            "rwp-mremap-swapped",
            "swapped-out pages follow the same rule",
            rules: "L4 L1",
            on: [.anon, .anonTHP, .shmemPrivate],
            needs: Need.rwp + [.swap],
            swapped
        ),
        Scenario(
            "rwp-move-present",
            "UFFDIO_MOVE into an RWP VMA arrives armed",
            rules: "L5",
            on: MemoryKind.anonymous,
            needs: Need.rwp + [.features(.move)],
            move
        ),
        Scenario(
            "rwp-move-swapped",
            "a swapped-out page that UFFDIO_MOVE moves arrives armed",
            rules: "L5 L1",
            on: MemoryKind.anonymous,
            needs: Need.rwp + [.features(.move), .swap],
            moveSwapped
        ),
        Scenario(
            "rwp-move-zero-page",
            "the zero page that UFFDIO_MOVE moves arrives armed",
            rules: "L5",
            on: MemoryKind.anonymous,
            needs: Need.rwp + [.features(.move)],
            moveZeroPage
        ),
        Scenario(
            "rwp-copy-accessible",
            "COPY arrives accessible, and can be armed then",
            rules: "L5",
            on: MemoryKind.all,
            needs: Need.rwp,
            copy
        ),
        Scenario(
            "rwp-copy-zeropage",
            "ZEROPAGE arrives accessible, and can be armed then",
            rules: "L5",
            on: MemoryKind.base,
            needs: Need.rwp,
            zeropage
        ),
        Scenario(
            "rwp-copy-continue",
            "CONTINUE arrives accessible, and can be armed then",
            rules: "L5 G1",
            on: [.shmem, .hugetlb],
            needs: Need.rwp + [.features([.minorShmem, .minorHugetlbfs])],
            continues
        ),
    ]

    private static func plain(_ context: Context, none: Bool) throws(Failure) {
        let protected = try Protected(context, async: false)
        try protected.showTrap()
        try protected.arm(1..<4)
        if none { try protected.memory.protect(protected.memory.range, PROT_NONE) }
        let moved = try protected.memory.remapped()
        try moved.expectUffdBit("at the new address") { _ in false }
        if none { try moved.protect(moved.range, PROT_READ | PROT_WRITE) }
        try moved.check("at the new address")
        if !context.kind.isShared {
            moved.fill(seed: 2)
            try moved.check(seed: 2, "written at the new address")
        }
        try protected.expectNoMessage("access of the destination")
        let isRWP = try AddressSpace.isReadWriteProtect(at: moved.range.start)
        try context.expect(!isRWP, "the destination is registered")
    }

    private static func tables(_ context: Context, moved carriesArms: Bool) throws(Failure) {
        for level: UInt in [1, 2] {
            let memory = try Memory(context.kind, tables: level)
            let filled = [0, memory.pages / 2 + 3, memory.pages - 1]
            for page in filled { memory.fill(page..<(page + 1)) }
            let features: Features = carriesArms ? .eventRemap : []
            let protected = try Protected(context, async: false, memory: memory, features: features)
            for page in filled {
                try protected.uffd.readWriteProtect(memory.page(page))
                try protected.expectPageTrap(page)
            }
            try protected.uffd.readWriteProtect(memory.range)
            for page in filled { try context.expect(try memory.entry(page).isUffd, "page \(page) is not armed") }
            var moved: Protected?
            if carriesArms {
                moved = try protected.remapped { (memory) throws(Failure) in try memory.remapped() }
            }
            let place = if let moved { moved.memory } else { try memory.remapped() }
            for page in filled {
                let isArmed = try place.entry(page).isUffd
                try context.expect(isArmed == carriesArms, "page \(page), of level \(level), at the new address")
                try moved?.expectPageTrap(page)
                try place.check(page..<(page + 1), "at the new address")
            }
            try protected.expectNoMessage("access of the destination")
            try place.unmap()
        }
    }

    /// The second half goes away, is registered there, and comes back to where it can merge with the first.
    private static func neighbour(_ context: Context) throws(Failure) {
        let protected = try Protected(context, async: false)
        let (uffd, memory) = (protected.uffd, protected.memory)
        let half = memory.chunks(2..<4)
        let away = AddressRange(start: try memory.destination(), length: half.length)
        try protected.showTrap()
        try half.move(to: away.start)
        try uffd.register(away, .readWriteProtect)
        try uffd.readWriteProtect(away)
        try protected.arm(0..<2)
        try away.move(to: half.start)
        try context.step("arm the neighbour") { () throws(Failure) in try protected.arm(0..<2) }
        for chunk in 0..<2 { try protected.expectTrap(chunk, .write(3), offset: 100) }
        for chunk in 2..<4 { protected.loadAll(chunk) }
        try protected.expectNoMessage("access of what was moved")
        try context.expectErrno(.noEntry, "arm what was moved") { () throws(Failure) in
            try uffd.readWriteProtect(half)
        }
        try memory.check("at the end")
    }

    private static func event(_ context: Context) throws(Failure) {
        let protected = try Protected(context, async: false, features: .eventRemap)
        try protected.showTrap()
        try protected.arm(1..<4)
        let uffd = protected.uffd
        let event = Words(3)
        let reader = try Thread { () throws(Failure) in
            guard case .remap(let from, let to, let length) = try uffd.next() else {
                throw Failure("expected a remap event")
            }
            (event[0], event[1], event[2]) = (UInt64(from), UInt64(to), UInt64(length))
        }
        let old = protected.memory.range
        let moved = Protected(protected, memory: try protected.memory.remapped())
        try reader.join()
        try context.expectEqual(UInt(event[0]), old.start, "'from' of the event")
        try context.expectEqual(UInt(event[1]), moved.memory.range.start, "'to' of the event")
        try context.expectEqual(UInt(event[2]), old.length, "'len' of the event")
        try moved.expectAccessed([0], "at the new address")
        for chunk in 1..<4 { try moved.expectTrap(chunk, .read) }
        try moved.memory.check("at the new address")
    }

    private static func swapped(_ context: Context) throws(Failure) {
        let protected = try Protected(context, async: false)
        try protected.showTrap()
        try protected.armAll()
        try protected.memory.swapOut(0..<protected.memory.pages)
        let moved = try protected.memory.remapped()
        try moved.expectUffdBit("swapped out") { _ in false }
        try moved.check("read back at the new address")
        try protected.expectNoMessage("access of the destination")
    }

    private static func move(_ context: Context) throws(Failure) {
        try Protected(context, async: false).showTrap()
        let protected = try Protected(context, async: false, mode: [.readWriteProtect, .missing], populated: false)
        let memory = protected.memory
        let source = try Memory(context.kind, chunks: 4)
        try source.populate()
        try protected.uffd.move(to: memory.range, from: source.range.start)
        try protected.expectAccessed([], "moved into an RWP VMA")
        for chunk in 0..<4 { try protected.expectTrap(chunk, .read) }
        try memory.check("moved")
        memory.fill(seed: 2)
        try memory.check(seed: 2, "written after the move")
        try protected.expectNoMessage("access of resolved chunks")
    }

    private static func moveSwapped(_ context: Context) throws(Failure) {
        try Protected(context, async: false).showTrap()
        let protected = try Protected(context, async: false, mode: [.readWriteProtect, .missing], populated: false)
        let source = try Memory(context.kind, chunks: 4)
        try source.populate()
        try source.swapOut(0..<source.pages)
        try protected.uffd.move(to: protected.memory.range, from: source.range.start)
        try protected.expectAccessed([], "moved while swapped out")
        for chunk in 0..<4 { try protected.expectTrap(chunk, .read) }
        try protected.memory.check("moved")
    }

    private static func moveZeroPage(_ context: Context) throws(Failure) {
        try Protected(context, async: false).showTrap()
        let protected = try Protected(context, async: false, mode: [.readWriteProtect, .missing], populated: false)
        let source = try Memory(context.kind, chunks: 4)
        for chunk in 0..<4 { source.load(source.firstPage(chunk)) }
        try protected.uffd.move(to: protected.memory.range, from: source.range.start)
        try protected.expectAccessed([], "moved zero pages")
        try protected.expectTrap(1, .write(5), offset: 0)
        try context.expectEqual(protected.memory.load(protected.memory.firstPage(1)), 5, "the byte written")
        for chunk in [0, 2, 3] { try protected.expectTrap(chunk, .read) }
        try protected.memory.checkZeroes(protected.memory.pageNumbers(2..<4), "moved zero pages")
    }

    private static func copy(_ context: Context) throws(Failure) {
        let protected = try Protected(context, async: false, mode: [.readWriteProtect, .missing], populated: false)
        let memory = protected.memory
        for page in 0..<min(memory.pages, 4) {
            try protected.uffd.copy(to: memory.page(page), from: try memory.pattern(of: page).range.start)
        }
        try memory.check(0..<4, "copied, never armed")
        try protected.expectNoMessage("access of copied pages")
        try protected.uffd.readWriteProtect(memory.pages(0..<4))
        let thread = try Thread { () throws(Failure) in memory.load(2) }
        let fault = try protected.uffd.nextFault()
        try context.expect(fault.flags == .readWriteProtect, "flags \(fault.flags.rawValue) of a copied page's trap")
        try context.expect(memory.page(2).contains(fault.address), "address of a copied page's trap")
        context.sawTrap()
        try protected.uffd.readWriteProtect(memory.pages(0..<4), false)
        try thread.join()
        try memory.check(0..<4, "resolved")
    }

    private static func zeropage(_ context: Context) throws(Failure) {
        let protected = try Protected(context, async: false, mode: [.readWriteProtect, .missing], populated: false)
        let memory = protected.memory
        try protected.uffd.zeropage(memory.range)
        try memory.checkZeroes(0..<4, "zeropage, never armed")
        try protected.expectNoMessage("access of zero pages")
        try protected.armAll()
        try protected.expectTrap(1, .read)
        try protected.expectTrap(2, .write(6))
        try context.expectEqual(memory.load(2), 6, "the byte written to a zero page")
        try protected.expectTrap(3, .read)
        try memory.checkZeroes(3..<4, "resolved")
    }

    private static func continues(_ context: Context) throws(Failure) {
        let protected = try Protected(context, async: false, mode: [.readWriteProtect, .minor], populated: false)
        let memory = protected.memory
        let alias = try memory.alias()
        alias.fill()
        try protected.uffd.continue(memory.range)
        try memory.check("continued, never armed")
        try protected.expectNoMessage("access of continued pages")
        try protected.armAll()
        for chunk in 0..<4 { try protected.expectTrap(chunk, .read) }
        try memory.check("resolved")
    }
}
