// SPDX-License-Identifier: GPL-2.0-only

import CUserfaultfd
import Userfaultfd

/// A call that takes a range, and a bench on which it succeeds when the range is right.
enum RangeCall: Sendable {
    case register, unregister, wake, copy, zeropage, writeProtect, `continue`, poison, move, readWriteProtect

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
        case .readWriteProtect: CUFFD_RWPROTECT
        }
    }
}

/// Memory on which a call succeeds: unpopulated and registered in the call's mode, but for REGISTER itself.
struct Bench: Sendable {
    let memory: Memory
    let source: Memory
    let uffd: Userfaultfd

    init(_ call: RangeCall, features: Features = []) throws(Failure) {
        let rwp: Features = call == .readWriteProtect ? .readWriteProtect : []
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
        case .readWriteProtect:
            memory.fill()
            try uffd.register(memory.range, .readWriteProtect)
        default: try uffd.register(memory.range, .missing)
        }
    }

    /// The same memory with another descriptor.
    init(_ other: Bench, uffd: Userfaultfd) {
        memory = other.memory
        source = other.source
        self.uffd = uffd
    }
}

/// What is wrong with a range.
enum RangeFlaw: Sendable {
    /// It starts in the middle of a page.
    case unaligned
    /// It ends in the middle of a page.
    case partial
    /// It has no length.
    case empty
    /// Its end is below its start.
    case wrapping
    /// It begins where no user address is.
    case outside
    /// It begins in the memory and ends where no user address is.
    case overlong

    func spoil(_ range: AddressRange) -> AddressRange {
        let highest = UInt.max & ~(basePageSize - 1)
        switch self {
        case .unaligned: return AddressRange(start: range.start + 1, length: basePageSize)
        case .partial: return AddressRange(start: range.start, length: basePageSize + 1)
        case .empty: return AddressRange(start: range.start, length: 0)
        case .wrapping: return AddressRange(start: range.start, length: highest)
        case .outside: return AddressRange(start: highest - 16 * basePageSize, length: basePageSize)
        case .overlong: return AddressRange(start: range.start, length: highest / 2 & ~(basePageSize - 1))
        }
    }
}

/// Every flaw of a range in every call that takes one: EINVAL, and nothing is done.
extension API {
    static let badRanges: [Scenario] = [
        badRange("api-register-unaligned", .register, .unaligned),
        badRange("api-register-partial", .register, .partial),
        badRange("api-register-empty", .register, .empty),
        badRange("api-register-wrapping", .register, .wrapping),
        badRange("api-register-outside", .register, .outside),
        badRange("api-register-overlong", .register, .overlong),
        badRange("api-unregister-unaligned", .unregister, .unaligned),
        badRange("api-unregister-partial", .unregister, .partial),
        badRange("api-unregister-empty", .unregister, .empty),
        badRange("api-unregister-wrapping", .unregister, .wrapping),
        badRange("api-unregister-outside", .unregister, .outside),
        badRange("api-unregister-overlong", .unregister, .overlong),
        badRange("api-wake-unaligned", .wake, .unaligned),
        badRange("api-wake-partial", .wake, .partial),
        badRange("api-wake-empty", .wake, .empty),
        badRange("api-wake-wrapping", .wake, .wrapping),
        badRange("api-wake-outside", .wake, .outside),
        badRange("api-wake-overlong", .wake, .overlong),
        badRange("api-copy-unaligned", .copy, .unaligned),
        badRange("api-copy-partial", .copy, .partial),
        badRange("api-copy-empty", .copy, .empty),
        badRange("api-copy-wrapping", .copy, .wrapping),
        badRange("api-copy-outside", .copy, .outside),
        badRange("api-copy-overlong", .copy, .overlong),
        badRange("api-zeropage-unaligned", .zeropage, .unaligned),
        badRange("api-zeropage-partial", .zeropage, .partial),
        badRange("api-zeropage-empty", .zeropage, .empty),
        badRange("api-zeropage-wrapping", .zeropage, .wrapping),
        badRange("api-zeropage-outside", .zeropage, .outside),
        badRange("api-zeropage-overlong", .zeropage, .overlong),
        badRange("api-writeprotect-unaligned", .writeProtect, .unaligned),
        badRange("api-writeprotect-partial", .writeProtect, .partial),
        badRange("api-writeprotect-empty", .writeProtect, .empty),
        badRange("api-writeprotect-wrapping", .writeProtect, .wrapping),
        badRange("api-writeprotect-outside", .writeProtect, .outside),
        badRange("api-writeprotect-overlong", .writeProtect, .overlong),
        badRange("api-continue-unaligned", .continue, .unaligned),
        badRange("api-continue-partial", .continue, .partial),
        badRange("api-continue-empty", .continue, .empty),
        badRange("api-continue-wrapping", .continue, .wrapping),
        badRange("api-continue-outside", .continue, .outside),
        badRange("api-continue-overlong", .continue, .overlong),
        badRange("api-poison-unaligned", .poison, .unaligned),
        badRange("api-poison-partial", .poison, .partial),
        badRange("api-poison-empty", .poison, .empty),
        badRange("api-poison-wrapping", .poison, .wrapping),
        badRange("api-poison-outside", .poison, .outside),
        badRange("api-poison-overlong", .poison, .overlong),
        badRange("api-move-unaligned", .move, .unaligned),
        badRange("api-move-partial", .move, .partial),
        badRange("api-move-empty", .move, .empty),
        badRange("api-move-wrapping", .move, .wrapping),
        badRange("api-move-outside", .move, .outside),
        badRange("api-move-overlong", .move, .overlong),
        badRange("api-rwprotect-unaligned", .readWriteProtect, .unaligned, rules: "P4"),
        badRange("api-rwprotect-partial", .readWriteProtect, .partial, rules: "P4"),
        badRange("api-rwprotect-empty", .readWriteProtect, .empty, rules: "P4"),
        badRange("api-rwprotect-wrapping", .readWriteProtect, .wrapping, rules: "P4"),
        badRange("api-rwprotect-outside", .readWriteProtect, .outside, rules: "P4"),
        badRange("api-rwprotect-overlong", .readWriteProtect, .overlong, rules: "P4"),
        badPointer("api-register-fault", .register),
        badPointer("api-unregister-fault", .unregister),
        badPointer("api-wake-fault", .wake),
        badPointer("api-copy-fault", .copy),
        badPointer("api-zeropage-fault", .zeropage),
        badPointer("api-writeprotect-fault", .writeProtect),
        badPointer("api-continue-fault", .continue),
        badPointer("api-poison-fault", .poison),
        badPointer("api-move-fault", .move),
        badPointer("api-rwprotect-fault", .readWriteProtect, rules: "P4"),
    ]

    /// The call with this flaw: EINVAL and no page of the memory touched; without the flaw it works.
    private static func badRange(
        _ name: StaticString,
        _ call: RangeCall,
        _ flaw: RangeFlaw,
        rules: StaticString = ""
    ) -> Scenario {
        check(
            name,
            "A range with this flaw: EINVAL; the same call of a good range works.",
            rules: rules,
            needs: call.needs
        ) {
            (context) throws(Failure) in
            let bench = try Bench(call)
            let populated = call == .readWriteProtect
            try context.expectErrno(.invalid, "bad range") { () throws(Failure) in
                try call.issue(bench, flaw.spoil(bench.memory.range))
            }
            for page in 0..<bench.memory.pages {
                let entry = try bench.memory.entry(page)
                try context.expect(
                    entry.isPresent == populated && !entry.isUffd,
                    "the refused call changed page \(page)"
                )
            }
            try context.step("good range") { () throws(Failure) in try call.issue(bench, bench.memory.range) }
        }
    }

    /// The call with an argument at no mapped address: EFAULT; with a good one it works.
    private static func badPointer(_ name: StaticString, _ call: RangeCall, rules: StaticString = "") -> Scenario {
        check(name, "An argument that cannot be read: EFAULT; a good one works.", rules: rules, needs: call.needs) {
            (context) throws(Failure) in
            let bench = try Bench(call)
            let gone = try Memory(.anon, pages: 1)
            try gone.protect(gone.range, PROT_NONE)
            for address in [0, 1, gone.range.start, UInt.max - 7] {
                try context.expectErrno(.fault, "argument at \(hex(address))") { () throws(Failure) in
                    try bench.uffd.request("request", call.number, argument: address)
                }
            }
            try context.step("good argument") { () throws(Failure) in try call.issue(bench, bench.memory.range) }
        }
    }
}
