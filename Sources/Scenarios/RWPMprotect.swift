// SPDX-License-Identifier: GPL-2.0-only

import CUserfaultfd
import Userfaultfd

/// mprotect(2) and read-write protection on one mapping (rules F3, G2, G5).
enum RWPMprotect {
    static let scenarios: [Scenario] = [
        Scenario(
            "rwp-mprotect-none-sync",
            "PROT_NONE gives SIGSEGV, and back again armed pages trap and others do not",
            rules: "F3 G2 L1",
            on: MemoryKind.all,
            needs: Need.rwp,
            noneSync
        ),
        Scenario(
            "rwp-mprotect-none-async",
            "PROT_NONE and back neither loses an arm nor makes a false access, nor does a scan meanwhile",
            rules: "F3 L1 S1 S2",
            on: MemoryKind.all,
            needs: Need.rwp,
            noneAsync
        ),
        Scenario(
            "rwp-mprotect-none-read",
            "PROT_NONE, then PROT_READ: unarmed pages read without a trap, armed ones trap",
            rules: "F3",
            on: MemoryKind.all,
            needs: Need.rwp,
            noneRead
        ),
        Scenario(
            "rwp-mprotect-read",
            "PROT_READ and back: armed pages trap on reads, and writes raise SIGSEGV",
            rules: "F3 L1 P2",
            on: MemoryKind.all,
            needs: Need.rwp,
            read
        ),
        Scenario(
            "rwp-mprotect-partial",
            "a VMA split by mprotect keeps arms on both sides, and merges again",
            rules: "F3 G5 L1",
            on: MemoryKind.all,
            needs: Need.rwp,
            partial
        ),
        Scenario(
            "rwp-mprotect-locked",
            "a locked mapping that becomes writable again is populated by nobody: armed pages stay so",
            rules: "L1 F3",
            on: MemoryKind.all,
            needs: Need.rwp
        ) { (context) throws(Failure) in try locked(context, async: true) },
        Scenario(
            "rwp-mprotect-locked-sync",
            "the same in synchronous mode: it sends no message, and waits for nobody",
            rules: "L1 F3 F1",
            on: MemoryKind.all,
            needs: Need.rwp
        ) { (context) throws(Failure) in try locked(context, async: false) },
        Scenario(
            "rwp-mprotect-arm-none",
            "arming and resolving a mapping that became PROT_NONE shows when it is accessible",
            rules: "G2 P1 P2 F3",
            on: MemoryKind.all,
            needs: Need.rwp,
            armWhileNone
        ),
        Scenario(
            "rwp-mprotect-register-none",
            "a PROT_NONE range is refused, one that became so can be unregistered",
            rules: "G2",
            on: MemoryKind.all,
            needs: Need.rwp,
            registerNone
        ),
    ]

    private static func noneSync(_ context: Context) throws(Failure) {
        let protected = try Protected(context, async: false)
        let memory = protected.memory
        try protected.showTrap()
        try protected.arm(1..<2)
        try memory.protect(memory.range, PROT_NONE)
        for chunk in 0..<4 {
            let address = memory.address(memory.firstPage(chunk))
            try context.expectEqual(Probe.read(address).signal, SIGSEGV, "signal of a read of chunk \(chunk)")
            try context.expectEqual(Probe.write(address, 1).signal, SIGSEGV, "signal of a write to chunk \(chunk)")
        }
        try protected.expectNoMessage("access of a PROT_NONE mapping")
        try memory.protect(memory.range, PROT_READ | PROT_WRITE)
        for chunk in [0, 2, 3] { memory.store(memory.firstPage(chunk), offset: 100, 1) }
        try protected.expectNoMessage("access of unarmed chunks after PROT_NONE")
        try protected.expectTrap(1, .read)
        try memory.check("at the end")
    }

    private static func noneAsync(_ context: Context) throws(Failure) {
        let protected = try Protected(context, async: true)
        let memory = protected.memory
        try protected.showTrap()
        try protected.armAll()
        memory.load(memory.firstPage(2))
        try memory.protect(memory.range, PROT_NONE)
        try context.expectEqual(
            Probe.read(memory.address(memory.firstPage(1))).signal,
            SIGSEGV,
            "signal of a read"
        )
        try protected.expectAccessed([2], "while PROT_NONE")
        try memory.protect(memory.range, PROT_READ | PROT_WRITE)
        try protected.expectAccessed([2], "after PROT_NONE and back")
        memory.load(memory.firstPage(1))
        try protected.expectAccessed([1, 2], "after reading chunk 1")
        try memory.check("at the end")
    }

    private static func noneRead(_ context: Context) throws(Failure) {
        let protected = try Protected(context, async: false)
        let memory = protected.memory
        try protected.showTrap()
        try protected.arm(1..<2)
        try memory.protect(memory.range, PROT_NONE)
        try memory.protect(memory.range, PROT_READ)
        for chunk in [0, 2, 3] { memory.load(memory.firstPage(chunk)) }
        try protected.expectNoMessage("reads of unarmed chunks after PROT_NONE")
        try protected.expectTrap(1, .read)
        let probe = Probe.write(memory.address(memory.firstPage(1)), 1)
        try context.expectEqual(probe.signal, SIGSEGV, "signal of a write to a read-only mapping")
        try protected.expectNoMessage("a write to a read-only mapping")
        try memory.check("at the end")
    }

    private static func read(_ context: Context) throws(Failure) {
        let protected = try Protected(context, async: false)
        let memory = protected.memory
        try protected.showTrap()
        try protected.arm(1..<3)
        try memory.protect(memory.range, PROT_READ)
        try protected.expectTrap(1, .read)
        for chunk in [0, 1, 2, 3] {
            let probe = Probe.write(memory.address(memory.firstPage(chunk)), 1)
            try context.expectEqual(probe.signal, SIGSEGV, "signal of a write to chunk \(chunk)")
        }
        try protected.expectNoMessage("writes to a read-only mapping")
        try memory.protect(memory.range, PROT_READ | PROT_WRITE)
        try protected.expectAccessed([0, 1, 3], "writable again")
        try protected.expectTrap(2, .write(9), offset: 100)
        memory.store(memory.firstPage(1), offset: 100, 9)
        try memory.check("at the end")
    }

    private static func partial(_ context: Context) throws(Failure) {
        let protected = try Protected(context, async: true, chunks: 6)
        let memory = protected.memory
        try protected.showTrap()
        let before = try AddressSpace.mappings(in: memory.range)
        try context.expectEqual(before, 1, "VMAs before mprotect")
        try protected.armAll()
        memory.load(memory.firstPage(3))
        try memory.protect(memory.chunks(2..<4), PROT_READ)
        try context.expectEqual(try AddressSpace.mappings(in: memory.range), 3, "VMAs while split")
        try protected.expectAccessed([3], "while split")
        memory.load(memory.firstPage(2))
        memory.store(memory.firstPage(4), offset: 100, 1)
        try protected.expectAccessed([2, 3, 4], "touched on both sides")
        try memory.protect(memory.chunks(2..<4), PROT_READ | PROT_WRITE)
        try protected.expectAccessed([2, 3, 4], "merged again")
        // hugetlb VMAs are VM_DONTEXPAND, which never merge.
        let merged = context.kind.isHugetlb ? 3 : 1
        try context.expectEqual(try AddressSpace.mappings(in: memory.range), merged, "VMAs merged again")
        try memory.check("at the end")
    }

    private static func locked(_ context: Context, async: Bool) throws(Failure) {
        let protected = try Protected(context, async: async)
        let memory = protected.memory
        if mlock(UnsafeMutableRawPointer(bitPattern: memory.range.start), Int(memory.range.length)) != 0 {
            throw Failure(call: "mlock", code: cuffd_errno())
        }
        try protected.showTrap()
        for protection in [PROT_READ, PROT_NONE] {
            try protected.arm(1..<4)
            try memory.protect(memory.range, protection)
            try memory.protect(memory.range, PROT_READ | PROT_WRITE)
            try protected.expectNoMessage("mprotect(2)")
            try protected.expectAccessed([0], "writable again")
            if async {
                memory.store(memory.firstPage(2), offset: 100, 1)
            } else {
                try protected.expectTrap(2, .write(1), offset: 100)
            }
            try protected.expectAccessed([0, 2], "after a write")
        }
        try protected.resolve(0..<4)
        try memory.check("at the end")
    }

    private static func armWhileNone(_ context: Context) throws(Failure) {
        let protected = try Protected(context, async: false)
        let memory = protected.memory
        try protected.showTrap()
        try protected.arm(2..<3)
        try memory.protect(memory.range, PROT_NONE)
        try protected.uffd.readWriteProtect(memory.chunk(1))
        try protected.resolve(2..<3)
        try context.expectEqual(
            Probe.read(memory.address(memory.firstPage(2))).signal,
            SIGSEGV,
            "signal of a read after resolving"
        )
        try memory.protect(memory.range, PROT_READ | PROT_WRITE)
        for chunk in [0, 2, 3] { memory.store(memory.firstPage(chunk), offset: 100, 1) }
        try protected.expectNoMessage("access of unarmed chunks")
        try protected.expectTrap(1, .write(1), offset: 100)
        try memory.check("at the end")
    }

    private static func registerNone(_ context: Context) throws(Failure) {
        let protected = try Protected(context, async: false)
        try protected.showTrap()
        let memory = try Memory(context.kind, chunks: 2)
        try memory.populate()
        try memory.protect(memory.chunk(1), PROT_NONE)
        try context.expectErrno(.invalid, "registering a range with a PROT_NONE VMA") { () throws(Failure) in
            try protected.uffd.register(memory.range, .readWriteProtect)
        }
        try memory.protect(memory.range, PROT_READ | PROT_WRITE)
        try protected.uffd.register(memory.range, .readWriteProtect)
        try protected.uffd.readWriteProtect(memory.range)
        try memory.protect(memory.range, PROT_NONE)
        try protected.uffd.unregister(memory.range)
        try context.expectEqual(Probe.read(memory.address(0)).signal, SIGSEGV, "signal of a read while PROT_NONE")
        try memory.protect(memory.range, PROT_READ | PROT_WRITE)
        try memory.check("after unregister and mprotect back")
        try protected.expectNoMessage("access after unregister")
    }
}
