// SPDX-License-Identifier: GPL-2.0-only

import CUserfaultfd
import Userfaultfd

/// A virtual CPU's accesses (rule F5): what read-write protection is for.
enum RWPKvm {
    static let needs: [Need] = Need.rwp + [.kvm]

    static let scenarios: [Scenario] =
        access("rwp-kvm-read-sync", "rwp-kvm-read-async", "a virtual CPU's read of an armed page", .read)
        + access("rwp-kvm-write-sync", "rwp-kvm-write-async", "a virtual CPU's write to an armed page", .write)
        + access(
            "rwp-kvm-fetch-sync",
            "rwp-kvm-fetch-async",
            "a virtual CPU's fetch of code from an armed page",
            .fetch
        )
        + [
            Scenario(
                "rwp-kvm-pattern-async",
                "the hot set of a virtual CPU's access pattern, scanned, equals the pattern",
                rules: "F5 F2 S2",
                on: MemoryKind.all,
                needs: needs,
                asyncPattern
            ),
            Scenario(
                "rwp-kvm-pattern-sync",
                "the traps of a virtual CPU's access pattern are those of its pages and no others",
                rules: "F5 F1 P5",
                on: MemoryKind.all,
                needs: needs,
                syncPattern
            ),
            Scenario(
                "rwp-kvm-swapped",
                "a virtual CPU's access of an armed page that was swapped out traps",
                rules: "F5 F1 L1",
                on: [.anon],
                needs: needs + [.swap],
                swapped
            ),
            Scenario(
                "rwp-kvm-worker-sync",
                "a virtual CPU with a local APIC lets a worker of KVM's wait at the trap, and goes on once it is resolved",
                rules: "F5 F1",
                on: MemoryKind.all,
                needs: needs,
                worker
            ),
        ] + running

    /// What a virtual CPU does to a chunk.
    private enum Access {
        case read, write, fetch

        static let offset: UInt = 512
        static let byte: UInt8 = 0xA5

        /// Makes the chunk ready; the access gives, or leaves there, `byte`.
        func prepare(_ guest: VirtualGuest, _ address: UInt) {
            switch self {
            case .read: cuffd_store8(address + Access.offset, Access.byte)
            case .write: cuffd_store8(address + Access.offset, 0)
            case .fetch: guest.put(GuestProgram.load(Access.byte), at: address + Access.offset)
            }
        }

        func program(_ guest: VirtualGuest, _ address: UInt) -> KVM.RealMode {
            switch self {
            case .read: guest.read(address + Access.offset)
            case .write: guest.write(address + Access.offset, Access.byte)
            case .fetch: guest.fetch(address + Access.offset)
            }
        }
    }

    /// Scenarios of one way to access. The virtual CPU accesses each chunk before it is armed, so that its own page tables
    /// have them all.
    private static func access(
        _ sync: StaticString,
        _ async: StaticString,
        _ summary: StaticString,
        _ access: Access
    ) -> [Scenario] {
        [
            Scenario(sync, summary, rules: "F5 F1 P2", on: MemoryKind.all, needs: needs) {
                (context) throws(Failure) in
                let protected = try Protected(context, async: false)
                let guest = try prepare(protected, access)
                let address = protected.memory.address(protected.memory.firstPage(1))
                let run = try VirtualRun(guest, 0, access.program(guest, address))
                try expectTrap(protected, run, 1, access == .write ? .write(0) : .read)
                try context.expect(!run.isFinished, "the virtual CPU went on before the trap was resolved")
                try protected.expectAccessed([], "before the trap is resolved")
                try protected.resolve(1..<2)
                try context.expectEqual(run.finish(), Access.byte, "the byte")
                try protected.expectNoMessage("after the access")
                try protected.expectAccessed([1], "after the access")
                try protected.resolve(0..<4)
                try check(protected, 1)
            },
            Scenario(async, summary, rules: "F5 F2", on: MemoryKind.all, needs: needs) {
                (context) throws(Failure) in
                let protected = try Protected(context, async: true)
                let guest = try prepare(protected, access)
                try protected.expectAccessed([], "before the access")
                let address = protected.memory.address(protected.memory.firstPage(1))
                let got = try guest.run(0, access.program(guest, address))
                try protected.expectAccessed([1], "after the access")
                context.sawTrap()
                try context.expectEqual(got, Access.byte, "the byte")
                try check(protected, 1)
            },
        ]
    }

    /// Waits for the message of a virtual CPU's access. One that passes instead is a failure.
    static func expectTrap(
        _ protected: Protected,
        _ run: VirtualRun,
        _ chunk: Int,
        _ access: Protected.Access
    ) throws(Failure) {
        while try waitReadable(protected.uffd.descriptor, milliseconds: 0) == 0 {
            guard run.isFinished else { continue }
            try run.finish()
            throw Failure("a virtual CPU's access of armed chunk \(chunk) passed untrapped")
        }
        try protected.expectMessage(chunk, access)
    }

    /// A guest whose CPU has accessed every chunk; then all are armed.
    private static func prepare(_ protected: Protected, _ access: Access) throws(Failure) -> VirtualGuest {
        let memory = protected.memory
        let guest = try VirtualGuest(memory)
        for chunk in 0..<memory.chunkCount {
            let address = memory.address(memory.firstPage(chunk))
            access.prepare(guest, address)
            let got = try guest.run(0, access.program(guest, address))
            try protected.context.expectEqual(got, Access.byte, "the byte of chunk \(chunk) before it is armed")
        }
        try protected.armAll()
        return guest
    }

    private static func check(_ protected: Protected, _ chunk: Int) throws(Failure) {
        let memory = protected.memory
        let got = memory.load(memory.firstPage(chunk), offset: Access.offset)
        // Of code, the first byte is the instruction's.
        try protected.context.expect(got == Access.byte || got == GuestProgram.load(0)[0], "byte \(got) at the end")
        try memory.check("at the end")
    }

    /// So many chunks that the pattern has thousands of pages where chunks are small.
    private static func chunks(_ kind: MemoryKind) -> Int {
        kind.isHugetlb ? 12 : kind.isTHP ? 8 : 4096
    }

    /// A pattern of about a third of the chunks, at random, in one random order.
    private static func pattern(_ choices: inout Choices, of count: Int) -> [Int] {
        var chosen = (0..<count).filter { _ in choices.below(3) == 0 }
        for index in chosen.indices { chosen.swapAt(index, choices.below(chosen.count)) }
        return chosen
    }

    private static func addresses(_ memory: Memory, _ chunks: [Int]) -> [UInt] {
        chunks.map { memory.address(memory.firstPage($0)) + Access.offset }
    }

    private static func asyncPattern(_ context: Context) throws(Failure) {
        let protected = try Protected(context, async: true, chunks: chunks(context.kind))
        let memory = protected.memory
        let guest = try VirtualGuest(memory)
        var choices = Choices(seed: context.load.seed)
        _ = try guest.run(0, guest.readAll(0, addresses(memory, Array(0..<memory.chunkCount))))
        try protected.armAll()
        for round in 0..<2 {
            try protected.uffd.readWriteProtect(memory.range)
            try context.expect(try !protected.accessed().contains(true), "round \(round): armed, and accessed")
            let pattern = pattern(&choices, of: memory.chunkCount)
            _ = try guest.run(0, guest.readAll(0, addresses(memory, pattern)))
            try expectEqual(protected.accessed(), pattern, "round \(round): reported as accessed")
            context.sawTrap()
        }
        try memory.check("at the end")
    }

    private static func syncPattern(_ context: Context) throws(Failure) {
        let protected = try Protected(context, async: false, chunks: min(chunks(context.kind), 512))
        let memory = protected.memory
        let guest = try VirtualGuest(memory)
        let trapped = Words(memory.chunkCount)
        let monitor = try Monitor(protected.uffd) { (message) throws(Failure) in
            guard case .pageFault(let address, .readWriteProtect, _) = message else {
                throw Failure("unexpected \(message.description)")
            }
            let chunk = Int((address - memory.range.start) / memory.chunkSize)
            trapped.add(1, at: chunk)
            try protected.resolve(chunk..<(chunk + 1))
        }
        var choices = Choices(seed: context.load.seed)
        _ = try guest.run(0, guest.readAll(0, addresses(memory, Array(0..<memory.chunkCount))))
        try protected.armAll()
        let pattern = pattern(&choices, of: memory.chunkCount)
        _ = try guest.run(0, guest.readAll(0, addresses(memory, pattern)))
        try monitor.stop()
        for chunk in 0..<memory.chunkCount {
            try context.expectEqual(trapped[chunk], pattern.contains(chunk) ? 1 : 0, "traps of chunk \(chunk)")
            if trapped[chunk] > 0 { context.sawTrap() }
        }
        try expectEqual(protected.accessed(), pattern, "reported as accessed")
        try protected.resolve(0..<memory.chunkCount)
        try memory.check("at the end")
    }

    /// Fails unless exactly the chunks of a pattern are marked.
    private static func expectEqual(
        _ marked: [Bool],
        _ pattern: [Int],
        _ what: @autoclosure () -> String
    ) throws(Failure) {
        var expected = [Bool](repeating: false, count: marked.count)
        for chunk in pattern { expected[chunk] = true }
        for chunk in marked.indices where marked[chunk] != expected[chunk] {
            throw Failure("\(what()): chunk \(chunk) is\(marked[chunk] ? "" : " not"), and should be the opposite")
        }
    }

    private static func swapped(_ context: Context) throws(Failure) {
        let protected = try Protected(context, async: false)
        let memory = protected.memory
        let guest = try prepare(protected, .read)
        try memory.swapOut(0..<memory.pages)
        try protected.expectAccessed([], "swapped out")
        let run = try VirtualRun(guest, 0, guest.read(memory.address(2) + Access.offset))
        try expectTrap(protected, run, 2, .read)
        try context.expect(!run.isFinished, "the virtual CPU went on before the trap was resolved")
        try protected.resolve(2..<3)
        try context.expectEqual(run.finish(), Access.byte, "the byte")
        try protected.expectAccessed([2], "after the access")
        try protected.resolve(0..<4)
        try memory.check("at the end")
    }

    /// The worker asks for the page to write to it, whatever the virtual CPU wants of it.
    private static func worker(_ context: Context) throws(Failure) {
        let protected = try Protected(context, async: false)
        let memory = protected.memory
        let guest = try VirtualGuest(memory, localAPICs: true)
        Access.read.prepare(guest, memory.address(memory.firstPage(1)))
        try protected.armAll()
        let run = try VirtualRun(guest, 0, Access.read.program(guest, memory.address(memory.firstPage(1))))
        try expectTrap(protected, run, 1, .write(0))
        try context.expect(!run.isFinished, "the virtual CPU went on before the trap was resolved")
        try protected.expectAccessed([], "before the trap is resolved")
        try protected.resolve(1..<2)
        try context.expectEqual(run.finish(), Access.byte, "the byte")
        try protected.expectAccessed([1], "after the access")
        try protected.resolve(0..<4)
        try memory.check("at the end")
    }
}
