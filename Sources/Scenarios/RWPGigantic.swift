// SPDX-License-Identifier: GPL-2.0-only

import CUserfaultfd
import Userfaultfd

/// Huge pages of 1 GiB, which an entry of the page table's third level maps: GUP finds these in code of their own
/// (rules P1, F1, F2, F5, L4).
enum RWPGigantic {
    private static let kinds: [MemoryKind] = [.hugetlb, .hugetlbPrivate]
    private static let needs = Need.rwp + [.giganticPage]

    static let scenarios: [Scenario] = [
        Scenario(
            "rwp-gigantic-sync",
            "a huge page of 1 GiB traps a read, a write and GUP anywhere in it",
            rules: "P1 P2 F1 F5",
            on: kinds,
            needs: needs,
            sync
        ),
        Scenario(
            "rwp-gigantic-async",
            "an access or GUP anywhere in a huge page of 1 GiB disarms it, and the scan tells",
            rules: "F2 F5 S2",
            on: [.hugetlb],
            needs: needs,
            async
        ),
        Scenario(
            "rwp-gigantic-none",
            "move_pages and FOLL_FORCE find a huge page of 1 GiB whose VMA is PROT_NONE, and neither loop nor trap",
            rules: "F3 F5",
            on: kinds,
            needs: needs,
            none
        ),
        Scenario(
            "rwp-gigantic-moves",
            "a huge page of 1 GiB that is armed: in a child and elsewhere it is not, and unregistered neither",
            rules: "L3 L4 L6",
            on: [.hugetlb],
            needs: needs,
            moves
        ),
    ]

    /// Places in it: near its ends, and where the entries of a smaller huge page would not reach.
    private static let places: [UInt] = [
        0x100, Memory.giganticPageSize / 2 + 0x12_3456, Memory.giganticPageSize - 0x100,
    ]

    private static func registered(_ context: Context, async: Bool) throws(Failure) -> Protected {
        let memory = try Memory(gigantic: context.kind)
        memory.fill()
        return try Protected(context, async: async, memory: memory)
    }

    /// Ways of the kernel to a byte at an address.
    private static let ways: [(name: StaticString, writes: Bool, enter: @Sendable (UInt) throws(Failure) -> Void)] = [
        ("process_vm_readv", false, { (address) throws(Failure) in _ = try KernelAccess.processVM.first(address) }),
        ("process_vm_writev", true, { (address) throws(Failure) in try KernelAccess.processVM.write(address) }),
        ("vmsplice", false, { (address) throws(Failure) in _ = try KernelAccess.vmsplice.first(address) }),
    ]

    private static func sync(_ context: Context) throws(Failure) {
        let protected = try registered(context, async: false)
        let memory = protected.memory
        for place in places {
            for access in [Protected.Access.read, .write(7)] {
                try protected.armAll()
                try protected.expectTrap(0, access, offset: place)
            }
            try context.expectEqual(memory.load(0, offset: place), 7, "the byte written at \(hex(place))")
        }
        for (name, writes, enter) in ways {
            for place in places {
                try protected.armAll()
                let thread = try Thread { () throws(Failure) in try enter(memory.range.start + place) }
                try protected.expectMessage(0, writes ? .write(0) : .read)
                try context.expect(!thread.isFinished, "\(name.text) went on before the trap was resolved")
                try protected.expectAccessed([], "while \(name.text) waits")
                try protected.resolve(0..<1)
                try thread.join()
            }
        }
        try protected.armAll()
        var word: UInt64 = 0
        let file = try ProcessMemory()
        try context.expect(!file.read(&word, at: memory.range.start + places[1]), "/proc/self/mem got at an armed page")
        try protected.expectAccessed([], "after /proc/self/mem failed")
        try protected.resolve(0..<1)
        try protected.expectNoMessage("at the end")
        try memory.check("at the end")
    }

    private static func async(_ context: Context) throws(Failure) {
        let protected = try registered(context, async: true)
        let memory = protected.memory
        for place in places {
            try protected.armAll()
            try protected.expectAccessed([], "armed")
            memory.load(0, offset: place)
            try protected.expectAccessed([0], "read at \(hex(place))")
            try protected.armAll()
            memory.store(0, offset: place, 7)
            try protected.expectAccessed([0], "written at \(hex(place))")
        }
        context.sawTrap()
        for (name, _, enter) in ways {
            try protected.armAll()
            try enter(memory.range.start + places[1])
            try protected.expectAccessed([0], "after \(name.text)")
        }
        try protected.armAll()
        var word: UInt64 = 0
        try context.expect(try ProcessMemory().read(&word, at: memory.range.start), "read of /proc/self/mem")
        try protected.expectAccessed([0], "after /proc/self/mem")
        try memory.check("at the end")
    }

    private static func none(_ context: Context) throws(Failure) {
        let protected = try registered(context, async: false)
        let memory = protected.memory
        let file = try ProcessMemory()
        for isArmed in [false, true] {
            if isArmed { try protected.armAll() }
            try memory.protect(memory.range, PROT_NONE)
            var word: UInt64 = 0
            // What the kernel answers is its business; that it answers, with the data, and sends no message, is the
            // promise. A loop is the watchdog's.
            try context.expect(try memory.node(of: 0) != nil, "move_pages finds no page")
            let couldRead = file.read(&word, at: memory.range.start)
            try protected.expectNoMessage("FOLL_FORCE on a PROT_NONE mapping")
            try memory.protect(memory.range, PROT_READ | PROT_WRITE)
            try protected.expectAccessed(isArmed ? [] : [0], "accessible again")
            if isArmed { try protected.expectTrap(0, .read, offset: places[1]) }
            let first = cuffd_load64(memory.range.start)
            try context.expect(!couldRead || word == first, "the word that was read")
        }
        try memory.check("at the end")
    }

    private static func moves(_ context: Context) throws(Failure) {
        let protected = try registered(context, async: false)
        try protected.showTrap()
        try protected.armAll()
        let memory = protected.memory
        try Child { () throws(Failure) in
            if try memory.entry(0).isUffd { throw Failure("the page is armed in the child") }
            try memory.check("in the child")
            return 0
        }.waitForSuccess()
        try protected.expectAccessed([], "after fork")
        try protected.uffd.unregister(memory.range)
        if try memory.entry(0).isUffd { throw Failure("the page is armed after unregister") }
        memory.load(0)
        try protected.uffd.register(memory.range, .readWriteProtect)
        try protected.armAll()
        let moved = try memory.remapped()
        if try moved.entry(0).isUffd { throw Failure("the page is armed where mremap moved it") }
        try moved.check("where mremap moved it")
        try protected.expectNoMessage("at the end")
    }
}
