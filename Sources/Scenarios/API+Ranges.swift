// SPDX-License-Identifier: GPL-2.0-only

import CUserfaultfd
import Userfaultfd

/// What is wrong with a range.
enum RangeFlaw: CaseIterable, Sendable {
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
    static let badRanges: [Scenario] = badCalls.flatMap { row in
        zip(RangeFlaw.allCases, row.ranges).map { badRange($1, row.call, $0, rules: row.rules) }
            + [badPointer(row.pointer, row.call, rules: row.rules)]
    }

    /// The names of a call's scenarios: one for each `RangeFlaw`, in their order, and one for an argument that cannot be
    /// read.
    private struct BadCall {
        let call: RangeCall
        let ranges: [StaticString]
        let pointer: StaticString
        var rules: StaticString = ""
    }

    private static let badCalls = [
        BadCall(
            call: .register,
            ranges: [
                "api-register-unaligned",
                "api-register-partial",
                "api-register-empty",
                "api-register-wrapping",
                "api-register-outside",
                "api-register-overlong",
            ],
            pointer: "api-register-fault"
        ),
        BadCall(
            call: .unregister,
            ranges: [
                "api-unregister-unaligned",
                "api-unregister-partial",
                "api-unregister-empty",
                "api-unregister-wrapping",
                "api-unregister-outside",
                "api-unregister-overlong",
            ],
            pointer: "api-unregister-fault"
        ),
        BadCall(
            call: .wake,
            ranges: [
                "api-wake-unaligned",
                "api-wake-partial",
                "api-wake-empty",
                "api-wake-wrapping",
                "api-wake-outside",
                "api-wake-overlong",
            ],
            pointer: "api-wake-fault"
        ),
        BadCall(
            call: .copy,
            ranges: [
                "api-copy-unaligned",
                "api-copy-partial",
                "api-copy-empty",
                "api-copy-wrapping",
                "api-copy-outside",
                "api-copy-overlong",
            ],
            pointer: "api-copy-fault"
        ),
        BadCall(
            call: .zeropage,
            ranges: [
                "api-zeropage-unaligned",
                "api-zeropage-partial",
                "api-zeropage-empty",
                "api-zeropage-wrapping",
                "api-zeropage-outside",
                "api-zeropage-overlong",
            ],
            pointer: "api-zeropage-fault"
        ),
        BadCall(
            call: .writeProtect,
            ranges: [
                "api-writeprotect-unaligned",
                "api-writeprotect-partial",
                "api-writeprotect-empty",
                "api-writeprotect-wrapping",
                "api-writeprotect-outside",
                "api-writeprotect-overlong",
            ],
            pointer: "api-writeprotect-fault"
        ),
        BadCall(
            call: .continue,
            ranges: [
                "api-continue-unaligned",
                "api-continue-partial",
                "api-continue-empty",
                "api-continue-wrapping",
                "api-continue-outside",
                "api-continue-overlong",
            ],
            pointer: "api-continue-fault"
        ),
        BadCall(
            call: .poison,
            ranges: [
                "api-poison-unaligned",
                "api-poison-partial",
                "api-poison-empty",
                "api-poison-wrapping",
                "api-poison-outside",
                "api-poison-overlong",
            ],
            pointer: "api-poison-fault"
        ),
        BadCall(
            call: .move,
            ranges: [
                "api-move-unaligned",
                "api-move-partial",
                "api-move-empty",
                "api-move-wrapping",
                "api-move-outside",
                "api-move-overlong",
            ],
            pointer: "api-move-fault"
        ),
        BadCall(
            call: .readWriteProtect,
            ranges: [
                "api-rwprotect-unaligned",
                "api-rwprotect-partial",
                "api-rwprotect-empty",
                "api-rwprotect-wrapping",
                "api-rwprotect-outside",
                "api-rwprotect-overlong",
            ],
            pointer: "api-rwprotect-fault",
            rules: "P4"
        ),
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
            for call in call.variants {
                let bench = try Bench(call)
                try context.expectErrno(.invalid, "bad range") { () throws(Failure) in
                    try call.issue(bench, flaw.spoil(bench.memory.range))
                }
                try bench.expectUnchanged(context)
                try context.step("good range") { () throws(Failure) in try call.issue(bench, bench.memory.range) }
            }
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
