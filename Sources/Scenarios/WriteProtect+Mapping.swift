// SPDX-License-Identifier: GPL-2.0-only

import CUserfaultfd
import Userfaultfd

/// Protection when the mapping changes under it: mprotect(2), VMAs that split and merge.
extension WriteProtect {
    static let protection: [Scenario] = [
        tracked(
            "wp-mprotect-none",
            "PROT_NONE gives SIGSEGV and no message; back again, protected pages trap and others do not.",
            protected: false
        ) { (context, tracked) throws(Failure) in
            try tracked.protect(0..<2)
            try tracked.changeProtection(PROT_NONE) { () throws(Failure) in
                for page in [0, 2] {
                    let address = tracked.memory.address(page)
                    try context.expectEqual(Probe.read(address).signal, SIGSEGV, "signal of a read")
                    try context.expectEqual(Probe.write(address, 1).signal, SIGSEGV, "signal of a write")
                }
            }
        },
        tracked(
            "wp-mprotect-read",
            "PROT_READ: a write gives SIGSEGV and no message; back again, protected pages trap and others do not.",
            protected: false
        ) { (context, tracked) throws(Failure) in
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
            "wp-read-only",
            "Memory that was read-only when it was registered: writes give SIGSEGV; once it is writable, they trap.",
            on: MemoryKind.all,
            needs: [.features(Tracked.features.union(.writeProtectUnpopulated))]
        ) { (context) throws(Failure) in
            let tracked = try Tracked(readOnly: context, features: .writeProtectUnpopulated)
            try tracked.readAndProtect()
            try tracked.makeWritable()
            try tracked.expectProtected(0..<tracked.memory.pages, "when it is writable")
            for page in 0..<3 { try tracked.expectTrap(page) }
            try tracked.memory.checkZeroes(3..<tracked.memory.pages, "pages that nobody wrote")
        },
        Scenario(
            "wp-read-only-async",
            "Memory that was read-only when it was registered is tracked: reads are not reported, later writes are.",
            on: MemoryKind.all,
            needs: needsAsync
        ) { (context) throws(Failure) in
            let tracked = try Tracked(readOnly: context, features: Tracked.asyncFeatures)
            try tracked.readAndProtect()
            try tracked.makeWritable()
            try tracked.expectWritten([], "when it is writable")
            try tracked.expectNoTrap(0)
            try tracked.expectNoTrap(2)
            try tracked.expectWritten([0, 2], "after writes")
            context.sawTrap()
        },
        Scenario(
            "wp-huge-file",
            "A huge page of a file stays mapped huge, and gets mapped so by one fault, with MISSING and with WP.",
            on: [.shmemTHP],
            needs: [.features(Tracked.features.union(.missingShmem)), .pagemapScan]
        ) { (context) throws(Failure) in
            for mode: RegisterMode in [.missing, .writeProtect] {
                let tracked = try Tracked(context, features: .missingShmem, mode: mode)
                let memory = tracked.memory
                try context.expect(try memory.isHuge(0..<memory.pages), "registering took the huge mapping")
                try memory.advise(memory.range, MADV_DONTNEED)
                memory.load(1)
                try context.expect(try memory.isHuge(0..<memory.pages), "a fault brought no huge mapping")
                try tracked.expectQuiet("pages that are there, and not protected")
                guard mode == .writeProtect else { continue }
                try tracked.protect(3..<4)
                try tracked.expectTrap(3)
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

    /// Maps memory, makes it read-only before anything is in it, and registers it.
    fileprivate init(readOnly context: Context, features: Features) throws(Failure) {
        let uffd = try Userfaultfd(features: Tracked.features.union(features), flags: [.nonblocking])
        let memory = try Memory(context.kind, pages: 4)
        try memory.protect(memory.range, PROT_READ)
        try uffd.register(memory.range, .writeProtect)
        self.init(uffd: uffd, memory: memory, context: context)
    }

    /// Protects read-only memory: a page that was read before, one that is read afterwards, and others.
    fileprivate func readAndProtect() throws(Failure) {
        try memory.checkZeroes(0..<1, "before protecting")
        try protect()
        try memory.checkZeroes(1..<2, "after protecting")
        try expectProtected(0..<memory.pages, "while it is read-only")
    }

    /// Makes read-only memory writable, after showing that no write gets through or traps before that.
    fileprivate func makeWritable() throws(Failure) {
        for page in 0..<3 {
            try context.expectEqual(Probe.write(memory.address(page), 1).signal, SIGSEGV, "signal of a write")
        }
        try expectQuiet("while it is read-only")
        try memory.protect(memory.range, PROT_READ | PROT_WRITE)
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
