// SPDX-License-Identifier: GPL-2.0-only

import CUserfaultfd
import Userfaultfd

/// What the calls that fill a range, and WRITEPROTECT, refuse beside bad ranges.
extension API {
    static let badFilling =
        otherBadFilling
        + modeCalls.map { unknownMode($0.name, $0.call, valid: $0.valid, offset: $0.offset) }
        + unregisteredCalls.map { unregistered($0.name, $0.call, $0.call == .move ? .invalid : .noEntry) }
        + unmappedCalls.map { unmapped($0.name, $0.call) }
        + populatedCalls.map { populated($0.name, $0.call) }
        + unanswerableCalls.map { unanswerable($0.name, $0.call) }

    private typealias NamedCall = (name: StaticString, call: RangeCall)

    private static let modeCalls: [(name: StaticString, call: RangeCall, valid: UInt64, offset: UInt)] = [
        ("api-copy-unknown-mode", .copy, valid: 0b11, offset: 24),
        ("api-zeropage-unknown-mode", .zeropage, valid: 0b1, offset: 16),
        ("api-writeprotect-unknown-mode", .writeProtect, valid: 0b11, offset: 16),
        ("api-continue-unknown-mode", .continue, valid: 0b11, offset: 16),
        ("api-poison-unknown-mode", .poison, valid: 0b1, offset: 16),
        ("api-move-unknown-mode", .move, valid: 0b11, offset: 24),
    ]

    private static let unregisteredCalls: [NamedCall] = [
        ("api-copy-unregistered", .copy), ("api-zeropage-unregistered", .zeropage),
        ("api-writeprotect-unregistered", .writeProtect), ("api-continue-unregistered", .continue),
        ("api-poison-unregistered", .poison), ("api-move-unregistered", .move),
    ]

    private static let unmappedCalls: [NamedCall] = [
        ("api-copy-unmapped", .copy), ("api-zeropage-unmapped", .zeropage),
        ("api-writeprotect-unmapped", .writeProtect), ("api-continue-unmapped", .continue),
        ("api-poison-unmapped", .poison), ("api-move-unmapped", .move),
    ]

    private static let populatedCalls: [NamedCall] = [
        ("api-copy-populated", .copy), ("api-zeropage-populated", .zeropage), ("api-continue-populated", .continue),
        ("api-poison-populated", .poison), ("api-move-populated", .move),
    ]

    private static let unanswerableCalls: [NamedCall] = [
        ("api-copy-answer", .copy), ("api-zeropage-answer", .zeropage), ("api-continue-answer", .continue),
        ("api-poison-answer", .poison), ("api-move-answer", .move),
    ]

    private static let otherBadFilling: [Scenario] = [
        check("api-copy-source", "COPY from an address without memory: EFAULT, and the page stays missing.") {
            (context) throws(Failure) in
            let bench = try Bench(.copy)
            try bench.source.unmap()
            try context.expectErrno(.fault, "unmapped source") { () throws(Failure) in
                try bench.uffd.copy(to: bench.memory.page(0), from: bench.source.address(0))
            }
            try context.expect(try !bench.memory.entry(0).isPresent, "a page arrived")
            let source = try Memory(.anon, pages: 1)
            try bench.uffd.copy(to: bench.memory.page(0), from: source.address(0))
        },
        check("api-copy-source-wrapping", "COPY from a source that wraps or is no user address: EINVAL.") {
            (context) throws(Failure) in
            let bench = try Bench(.copy)
            let highest = UInt.max & ~(basePageSize - 1)
            for source in [highest, highest / 2 + 1] {
                try context.expectErrno(.invalid, "source at \(hex(source))") { () throws(Failure) in
                    try bench.uffd.copy(to: bench.memory.page(0), from: source)
                }
            }
            try bench.uffd.copy(to: bench.memory.page(0), from: bench.source.address(0) + 8)
        },
        check("api-copy-wp-unregistered", "COPY with MODE_WP into a range without WP: EINVAL.") {
            (context) throws(Failure) in
            let bench = try Bench(.copy)
            try context.expectErrno(.invalid, "MODE_WP") { () throws(Failure) in
                try bench.uffd.copy(to: bench.memory.page(0), from: bench.source.address(0), .writeProtect)
            }
            try bench.uffd.copy(to: bench.memory.page(0), from: bench.source.address(0))
        },
        check(
            "api-continue-wp-unregistered",
            "CONTINUE with MODE_WP in a range without WP: EINVAL.",
            needs: [.features(.minorShmem)]
        ) { (context) throws(Failure) in
            let bench = try Bench(.continue)
            try context.expectErrno(.invalid, "MODE_WP") { () throws(Failure) in
                try bench.uffd.continue(bench.memory.page(0), .writeProtect)
            }
            try bench.uffd.continue(bench.memory.page(0))
        },
        check(
            "api-continue-absent",
            "CONTINUE of a page that the page cache does not have: EFAULT.",
            needs: [.features(.minorShmem)]
        ) { (context) throws(Failure) in
            let uffd = try Userfaultfd(features: [])
            let memory = try Memory(.shmem, pages: 2)
            try uffd.register(memory.range, .minor)
            try context.expectErrno(.fault, "absent page") { () throws(Failure) in try uffd.continue(memory.page(0)) }
            try memory.alias().fill()
            try uffd.continue(memory.page(0))
        },
        check("api-continue-anon", "CONTINUE of anonymous memory: EINVAL.") { (context) throws(Failure) in
            let bench = try Bench(.copy)
            try context.expectErrno(.invalid, "anonymous memory") { () throws(Failure) in
                try bench.uffd.continue(bench.memory.page(0))
            }
        },
        check(
            "api-writeprotect-dontwake",
            "WRITEPROTECT with MODE_WP and DONTWAKE: EINVAL, and the page is not protected.",
            needs: [.features(.writeProtect)]
        ) { (context) throws(Failure) in
            let bench = try Bench(.writeProtect)
            bench.memory.fill()
            try context.expectErrno(.invalid, "MODE_WP with DONTWAKE") { () throws(Failure) in
                try bench.uffd.writeProtect(bench.memory.range, mode: 3)
            }
            try context.expect(try !bench.memory.entry(0).isUffd, "the page was protected")
            try bench.uffd.writeProtect(bench.memory.range, mode: 1)
            try context.expect(try bench.memory.entry(0).isUffd, "the page was not protected")
        },
        check(
            "api-writeprotect-missing",
            "WRITEPROTECT of a range that is registered without WP: ENOENT.",
            needs: [.features(.writeProtect)]
        ) { (context) throws(Failure) in
            let bench = try Bench(.copy)
            try context.expectErrno(.noEntry, "a MISSING range") { () throws(Failure) in
                try bench.uffd.writeProtect(bench.memory.range)
            }
            try bench.uffd.register(bench.memory.range, [.missing, .writeProtect])
            try bench.uffd.writeProtect(bench.memory.range)
        },
        Scenario(
            "api-hugetlb-part",
            "A part of a huge page: EINVAL to COPY, CONTINUE, POISON and WRITEPROTECT; all of ZEROPAGE.",
            on: [.hugetlb, .hugetlbPrivate],
            needs: [.features([.writeProtectFiles, .poison])],
            traps: false
        ) { (context) throws(Failure) in
            let uffd = try Userfaultfd(features: Tracked.features)
            let memory = try Memory(context.kind, pages: 2)
            let source = try memory.pattern(of: 0)
            try uffd.register(memory.range, [.missing, .writeProtect])
            let start = memory.range.start
            let late = AddressRange(start: start + basePageSize, length: memory.pageSize)
            for part in [late, AddressRange(start: start, length: memory.pageSize / 2)] {
                try context.expectErrno(.invalid, "COPY") { () throws(Failure) in
                    try uffd.copy(to: part, from: source.range.start)
                }
                try context.expectErrno(.invalid, "POISON") { () throws(Failure) in try uffd.poison(part) }
                try context.expectErrno(.invalid, "CONTINUE") { () throws(Failure) in try uffd.continue(part) }
                try context.expectErrno(.invalid, "WRITEPROTECT") { () throws(Failure) in try uffd.writeProtect(part) }
            }
            try context.expectErrno(.invalid, "ZEROPAGE") { () throws(Failure) in try uffd.zeropage(memory.page(0)) }
            try uffd.copy(to: memory.page(0), from: source.range.start)
            try memory.check(0..<1, "after COPY of a whole huge page")
        },
    ]

    /// Each mode bit but the valid ones: EINVAL. `offset` is where the mode is in the call's argument, in bytes.
    static func unknownMode(
        _ name: StaticString,
        _ call: RangeCall,
        valid: UInt64,
        offset: UInt,
        rules: StaticString = ""
    ) -> Scenario {
        check(name, "An unknown mode bit: EINVAL; without it the call works.", rules: rules, needs: call.needs) {
            (context) throws(Failure) in
            let bench = try Bench(call)
            let range = bench.memory.range
            let length = UInt64(range.length)
            for bit: UInt64 in 0..<64 where valid >> bit & 1 == 0 {
                let start = UInt64(range.start)
                let argument =
                    offset == 16
                    ? try RawArgument(start, length, 1 << bit, 0)
                    : try RawArgument(start, UInt64(bench.source.range.start), length, 1 << bit, 0)
                try context.expectErrno(.invalid, "mode bit \(bit)") { () throws(Failure) in
                    try bench.uffd.request("request", call.number, argument: argument.address)
                }
                try argument.memory.unmap()
            }
            try bench.expectUnchanged(context)
            try context.step("without the bit") { () throws(Failure) in try call.issue(bench, range) }
        }
    }

    /// The call on memory that is not registered.
    static func unregistered(
        _ name: StaticString,
        _ call: RangeCall,
        _ expected: Errno,
        rules: StaticString = ""
    ) -> Scenario {
        check(name, "Memory that is not registered is refused.", rules: rules, needs: call.needs) {
            (context) throws(Failure) in
            for call in call.variants {
                let bench = try Bench(call)
                let half = bench.memory.pages(0..<2)
                try bench.uffd.unregister(half)
                try context.expectErrno(expected, "unregistered memory") { () throws(Failure) in
                    try call.issue(bench, half)
                }
                try context.step("registered memory") { () throws(Failure) in
                    try call.issue(bench, bench.memory.pages(2..<4))
                }
            }
        }
    }

    /// The call where nothing is mapped: ENOENT.
    static func unmapped(_ name: StaticString, _ call: RangeCall, rules: StaticString = "") -> Scenario {
        check(name, "An address where nothing is mapped: ENOENT.", rules: rules, needs: call.needs) {
            (context) throws(Failure) in
            for call in call.variants {
                let bench = try Bench(call)
                let half = bench.memory.pages(0..<2)
                if munmap(UnsafeMutableRawPointer(bitPattern: half.start), Int(half.length)) != 0 {
                    throw Failure(call: "munmap", code: cuffd_errno())
                }
                try context.expectErrno(.noEntry, "unmapped address") { () throws(Failure) in
                    try call.issue(bench, half)
                }
                try context.step("mapped memory") { () throws(Failure) in
                    try call.issue(bench, bench.memory.pages(2..<4))
                }
            }
        }
    }

    /// The call where a page is already: EEXIST; before it, the part that could be done is told.
    private static func populated(_ name: StaticString, _ call: RangeCall) -> Scenario {
        check(
            name,
            "A page that is already there: EEXIST; after free pages, EAGAIN and how far it went.",
            needs: call.needs
        ) {
            (context) throws(Failure) in
            let bench = try Bench(call)
            let page = bench.memory.page(2)
            try call.issue(bench, page)
            // MOVE has taken its source away.
            if call == .move { bench.source.fill(0..<1) }
            try context.expectErrno(.exists, "populated page") { () throws(Failure) in try call.issue(bench, page) }
            do throws(Failure) {
                try call.issue(bench, bench.memory.range)
            } catch {
                try context.expect(error.errno == .again, "over the populated page: \(error.message)")
                try context.expectEqual(error.progress, Int64(2 * basePageSize), "bytes done before it")
                return
            }
            throw Failure("the call went over a populated page")
        }
    }

    /// The call with an argument that can be read and not written: EFAULT.
    private static func unanswerable(_ name: StaticString, _ call: RangeCall) -> Scenario {
        check(name, "An argument that cannot take the answer: EFAULT.", needs: call.needs) {
            (context) throws(Failure) in
            let bench = try Bench(call)
            let start = UInt64(bench.memory.range.start)
            let length = UInt64(basePageSize)
            let argument =
                call == .copy || call == .move
                ? try RawArgument(start, UInt64(bench.source.range.start), length, 0, 0)
                : try RawArgument(start, length, 0, 0)
            try argument.makeReadOnly()
            try context.expectErrno(.fault, "read-only argument") { () throws(Failure) in
                try bench.uffd.request("request", call.number, argument: argument.address)
            }
            // A MOVE that could not answer has moved.
            if call == .move { bench.source.fill(0..<1) }
            try context.step("good argument") { () throws(Failure) in
                try call.issue(bench, AddressRange(start: bench.memory.address(1), length: basePageSize))
            }
        }
    }
}
