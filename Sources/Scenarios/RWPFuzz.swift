// SPDX-License-Identifier: GPL-2.0-only

import CUserfaultfd
import Userfaultfd

/// Random arguments to the ioctls of read-write protection, over memory of every kind (rules P4, G1 to G3, M1).
///
/// What is refused is refused without harm, what succeeds was well formed, and at the end every page is intact.
enum RWPFuzz {
    static let scenarios: [Scenario] = [
        Scenario(
            "rwp-fuzz",
            "random pointers, ranges and modes: the kernel stays well, and so does every page",
            rules: "P4 G1 G3 M1 L6",
            on: MemoryKind.all,
            needs: Need.rwp
        ) { (context) throws(Failure) in
            try Protected(context, async: true).showTrap()
            try run(context, rounds: 2000, seed: context.load.seed)
        },
        Scenario(
            "stress-rwp-fuzz",
            "the same, for as long as asked",
            rules: "P4 G1 G3 M1 L6",
            on: MemoryKind.all,
            needs: Need.rwp
        ) { (context) throws(Failure) in
            try Protected(context, async: true).showTrap()
            let end = Clock.milliseconds + max(context.load.seconds, 1) * 1000
            var seed = context.load.seed
            while Clock.milliseconds < end {
                try run(context, rounds: 20_000, seed: seed)
                seed += 1
            }
        },
    ]

    private static func run(_ context: Context, rounds: Int, seed: UInt64) throws(Failure) {
        context.note("seed \(seed)")
        var fuzz = try Fuzz(context.kind, seed: seed)
        for _ in 0..<rounds { try fuzz.step() }
        try fuzz.finish()
    }
}

/// The memories that a fuzz plays with, the argument that it hands to the kernel, and its choices.
private struct Fuzz {
    private let uffd: Userfaultfd
    private let memories: [Memory]
    /// A page for arguments, with an inaccessible one behind it.
    private let argument: UInt
    private var choices: Choices

    private static let protections: [Int32] = [PROT_READ | PROT_WRITE, PROT_READ | PROT_WRITE, PROT_READ, PROT_NONE]

    init(_ kind: MemoryKind, seed: UInt64) throws(Failure) {
        choices = Choices(seed: seed)
        uffd = try Userfaultfd(features: API.available([.readWriteProtect, .writeProtect, .writeProtectFiles]))
        var memories: [Memory] = []
        for kind in [kind, .anon, .shmem] {
            let memory = try Memory(kind, chunks: 2)
            memory.fill()
            memories.append(memory)
        }
        self.memories = memories
        let flags = MAP_PRIVATE | MAP_ANONYMOUS
        argument = UInt(try checked("mmap", cuffd_mmap(0, 2 * basePageSize, PROT_READ | PROT_WRITE, flags, -1, 0)))
        try checked(
            "mprotect",
            cuffd_syscall(Int(SYS_mprotect), Int(argument + basePageSize), Int(basePageSize), 0, 0, 0, 0)
        )
    }

    /// A call, or, now and then, an mprotect(2).
    mutating func step() throws(Failure) {
        let memory = choices.one(of: memories)
        switch choices.below(16) {
        case 0: try memory.protect(memory.chunk(choices.below(2)), choices.one(of: Fuzz.protections))
        case 1...3: try register(memory)
        case 4: _ = call(CUFFD_UNREGISTER, [memory.range.start, memory.range.length].map { UInt64($0) })
        case 5: _ = call(CUFFD_WAKE, range(memory))
        case 6...8: try setMode()
        default: try protect(memory)
        }
    }

    /// Takes everything back: each page has its own protection, and its data.
    func finish() throws(Failure) {
        for memory in memories {
            for chunk in 0..<2 { try memory.protect(memory.chunk(chunk), PROT_READ | PROT_WRITE) }
        }
        uffd.close()
        for memory in memories {
            try memory.check("after \(memory.kind.name) was fuzzed")
            if let page = try memory.first(of: 0..<memory.pages, where: { $0.isUffd }) {
                throw Failure("page \(page) of \(memory.kind.name) is armed after close")
            }
            try memory.unmap()
        }
    }

    private mutating func register(_ memory: Memory) throws(Failure) {
        let mode = mode()
        let range = range(memory)
        guard call(CUFFD_REGISTER, range + [mode, 0]) == 0 else { return }
        let both: UInt64 = 1 << 1 | 1 << 3
        if mode == 0 || mode >> 4 != 0 || mode & both == both || !isWellFormed(range) {
            throw Failure("REGISTER took mode \(mode), range \(hex(UInt(range[0]))) +\(hex(UInt(range[1])))")
        }
    }

    private mutating func protect(_ memory: Memory) throws(Failure) {
        let mode = mode()
        let range = range(memory)
        guard call(CUFFD_RWPROTECT, range + [mode]) == 0 else { return }
        if mode > 2 || !isWellFormed(range) {
            throw Failure("RWPROTECT took mode \(mode), range \(hex(UInt(range[0]))) +\(hex(UInt(range[1])))")
        }
    }

    private mutating func setMode() throws(Failure) {
        let bits: [UInt64] = [0, 0, 1 << 18, 1 << 18, 1 << 17, choices.word()]
        let (enable, disable) = (choices.one(of: bits), choices.one(of: bits))
        guard call(CUFFD_SET_MODE, [enable, disable]) == 0 else { return }
        if (enable | disable) & ~(1 << 18) != 0 || enable & disable != 0 {
            throw Failure("SET_MODE took \(enable) and \(disable)")
        }
    }

    private func isWellFormed(_ range: [UInt64]) -> Bool {
        let page = UInt64(basePageSize)
        return range[0] % page == 0 && range[1] % page == 0 && range[1] != 0 && range[0] &+ range[1] > range[0]
    }

    /// Mode bits: mostly a good one.
    private mutating func mode() -> UInt64 {
        choices.below(8) == 0 ? choices.word() >> UInt64(choices.below(64)) : UInt64(choices.below(12))
    }

    /// A start and a length: mostly about the memory's, with errors of less than a page, of pages and of much more.
    ///
    /// Room that is inaccessible lies around each memory, so that nothing else can be registered with it.
    private mutating func range(_ memory: Memory) -> [UInt64] {
        let unit = Int(memory.chunkSize)
        var start = UInt64(memory.range.start) &+ UInt64(choices.below(3) * unit / 2)
        var length = UInt64((choices.below(4)) * unit / 2)
        switch choices.below(12) {
        case 0: start &+= UInt64(choices.below(4096))
        case 1: length &+= UInt64(choices.below(4096))
        case 2: start &-= UInt64(basePageSize)
        case 3: length = UInt64(basePageSize)
        case 4: length = choices.word()
        case 5: start = choices.word()
        default: break
        }
        return [start, length]
    }

    /// Makes a call with these words as its argument; mostly from where the kernel can read and write them.
    private mutating func call(_ request: UInt, _ words: [UInt64]) -> Int32 {
        let wrong: [UInt] = [
            0, 1, argument + basePageSize - 8, argument + basePageSize, 1 << 47, 1 << 63, UInt.max - 7,
        ]
        var address = argument
        if choices.below(12) == 0 {
            address = choices.one(of: wrong)
        } else {
            for (index, word) in words.enumerated() { cuffd_store64(argument + UInt(index) * 8, word) }
        }
        return cuffd_ioctl(uffd.descriptor, request, UnsafeMutableRawPointer(bitPattern: address))
    }
}
