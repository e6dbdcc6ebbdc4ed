// SPDX-License-Identifier: GPL-2.0-only

import CUserfaultfd
import Userfaultfd

/// A call that takes a range, and a bench on which it succeeds when the range is right.
enum RangeCall: Sendable {
    case register, unregister, wake, copy, zeropage, writeProtect, `continue`, poison, move, readWriteProtect
    /// RWPROTECT of what is armed.
    case resolve, resolveDontWake

    /// RWPROTECT arms and resolves, with and without waking: all have the same errors (rule P4).
    var variants: [RangeCall] {
        self == .readWriteProtect ? [.readWriteProtect, .resolve, .resolveDontWake] : [self]
    }

    /// Whether it takes what is armed.
    var resolves: Bool { self == .resolve || self == .resolveDontWake }

    /// Makes the call for `range`; COPY and MOVE take their pages from the bench's source.
    func issue(_ bench: Bench, _ range: AddressRange) throws(Failure) {
        switch self {
        case .register: try bench.uffd.register(range, .missing)
        case .unregister: try bench.uffd.unregister(range)
        case .wake: try bench.uffd.wake(range)
        case .copy: try bench.uffd.copy(to: range, from: bench.source.range.start)
        case .zeropage: try bench.uffd.zeropage(range)
        case .writeProtect: try bench.uffd.writeProtect(range)
        case .continue: try bench.uffd.continue(range)
        case .poison: try bench.uffd.poison(range)
        case .move: try bench.uffd.move(to: range, from: bench.source.range.start)
        case .readWriteProtect: try bench.uffd.readWriteProtect(range)
        case .resolve: try bench.uffd.readWriteProtect(range, false)
        case .resolveDontWake: try bench.uffd.readWriteProtect(range, false, dontWake: true)
        }
    }

    /// What the call needs of the kernel.
    var needs: [Need] {
        switch self {
        case .poison: [.features(.poison)]
        case .move: [.features(.move)]
        case .writeProtect: [.features(.writeProtect)]
        case .continue: [.features(.minorShmem)]
        case .readWriteProtect: [.features(.readWriteProtect)]
        default: []
        }
    }

    /// The request number, for arguments that no typed call makes.
    var number: UInt {
        switch self {
        case .register: CUFFD_REGISTER
        case .unregister: CUFFD_UNREGISTER
        case .wake: CUFFD_WAKE
        case .copy: CUFFD_COPY
        case .zeropage: CUFFD_ZEROPAGE
        case .writeProtect: CUFFD_WRITEPROTECT
        case .continue: CUFFD_CONTINUE
        case .poison: CUFFD_POISON
        case .move: CUFFD_MOVE
        case .readWriteProtect, .resolve, .resolveDontWake: CUFFD_RWPROTECT
        }
    }
}

/// Memory on which a call succeeds: unpopulated and registered in the call's mode, but for REGISTER itself.
struct Bench: Sendable {
    let memory: Memory
    let source: Memory
    let uffd: Userfaultfd
    /// What the memory is before the call, and after one that is refused.
    let (isPopulated, isArmed): (Bool, Bool)

    init(_ call: RangeCall, features: Features = []) throws(Failure) {
        isArmed = call.resolves
        isPopulated = isArmed || call == .readWriteProtect
        let rwp: Features = isPopulated ? .readWriteProtect : []
        uffd = try Userfaultfd(features: features.union(rwp))
        memory = try Memory(call == .continue ? .shmem : .anon, pages: 4)
        source = try Memory(.anon, pages: 4)
        source.fill()
        switch call {
        case .register: break
        case .continue:
            try memory.alias().fill()
            try uffd.register(memory.range, .minor)
        case .writeProtect: try uffd.register(memory.range, .writeProtect)
        case .readWriteProtect, .resolve, .resolveDontWake:
            memory.fill()
            try uffd.register(memory.range, .readWriteProtect)
            if isArmed { try uffd.readWriteProtect(memory.range) }
        default: try uffd.register(memory.range, .missing)
        }
    }

    /// The same memory with another descriptor.
    init(_ other: Bench, uffd: Userfaultfd) {
        memory = other.memory
        source = other.source
        (isPopulated, isArmed) = (other.isPopulated, other.isArmed)
        self.uffd = uffd
    }

    /// Fails where the refused call changed a page.
    func expectUnchanged(_ context: Context) throws(Failure) {
        for page in 0..<memory.pages {
            let entry = try memory.entry(page)
            try context.expect(
                entry.isPresent == isPopulated && entry.isUffd == isArmed,
                "the refused call changed page \(page)"
            )
        }
    }
}
