// SPDX-License-Identifier: GPL-2.0-only

import CUserfaultfd
import Userfaultfd

/// RWP's calls: what a kernel without it says to them, and what one with it refuses.
extension API {
    static let withoutReadWriteProtect: [Scenario] = [
        check(
            "api-rwp-refused-feature",
            "Where RWP does not exist, its feature bits are refused: EINVAL, and the struct is zeroed.",
            rules: "N1 N2",
            needs: [.without(.readWriteProtect)]
        ) { (context) throws(Failure) in
            let uffd = try Userfaultfd.open([.userModeOnly])
            for bits: UInt64 in [1 << 17, 1 << 18, 3 << 17, 1 << 17 | 1] {
                try refuseHandshake(context, uffd, api: 0xAA, features: bits, .invalid, "features \(hex(UInt(bits)))")
            }
            _ = try uffd.handshake()
        },
        Scenario(
            "api-rwp-refused-mode",
            "Where RWP does not exist, registering in its mode is refused: EINVAL.",
            rules: "G1",
            on: MemoryKind.all,
            needs: [.without(.readWriteProtect)],
            traps: false
        ) { (context) throws(Failure) in
            let uffd = try Userfaultfd(features: [])
            let memory = try Memory(context.kind, pages: 2)
            for mode: RegisterMode in [.readWriteProtect, [.missing, .readWriteProtect]] {
                try context.expectErrno(.invalid, "mode \(mode.rawValue)") { () throws(Failure) in
                    try uffd.register(memory.range, mode)
                }
            }
            try uffd.register(memory.range, .missing)
        },
        check(
            "api-rwp-refused-requests",
            "Where RWP does not exist, RWPROTECT and SET_MODE are unknown requests: EINVAL.",
            rules: "P4 M1",
            needs: [.without(.readWriteProtect)]
        ) { (context) throws(Failure) in
            let bench = try Bench(.copy)
            try context.expectErrno(.invalid, "RWPROTECT") { () throws(Failure) in
                try bench.uffd.readWriteProtect(bench.memory.range)
            }
            try context.expectErrno(.invalid, "SET_MODE") { () throws(Failure) in try bench.uffd.setMode() }
            try bench.uffd.copy(to: bench.memory.range, from: bench.source.address(0))
        },
    ]

    /// What RWPROTECT refuses beside bad ranges (rule P4).
    static let badReadWriteProtect: [Scenario] = [
        unknownMode("api-rwprotect-unknown-mode", .readWriteProtect, valid: 0b11, offset: 16, rules: "P4"),
        unregistered("api-rwprotect-unregistered", .readWriteProtect, .noEntry, rules: "P4"),
        unmapped("api-rwprotect-unmapped", .readWriteProtect, rules: "P4"),
        check(
            "api-rwprotect-dontwake",
            "MODE_RWP with DONTWAKE: EINVAL, and nothing is armed.",
            rules: "P4",
            needs: needsRWP
        ) { (context) throws(Failure) in
            let bench = try Bench(.readWriteProtect)
            try context.expectErrno(.invalid, "MODE_RWP with DONTWAKE") { () throws(Failure) in
                try bench.uffd.readWriteProtect(bench.memory.range, mode: 3)
            }
            try bench.memory.expectUffdBit(on: 0..<0, context, "after the refused call")
            try bench.uffd.readWriteProtect(bench.memory.range, mode: 1)
            try bench.memory.expectUffdBit(on: 0..<4, context, "after a good call")
            try bench.uffd.readWriteProtect(bench.memory.range, mode: 2)
            try bench.memory.expectUffdBit(on: 0..<0, context, "after resolving with DONTWAKE")
        },
        check(
            "api-rwprotect-of-wp",
            "RWPROTECT of a WP range, and WRITEPROTECT of an RWP range: ENOENT, and nothing is protected.",
            rules: "P4",
            needs: [.features(Tracked.features.union(.readWriteProtect))]
        ) { (context) throws(Failure) in
            let bench = try Bench(.readWriteProtect)
            try bench.uffd.unregister(bench.memory.pages(0..<2))
            try bench.uffd.register(bench.memory.pages(0..<2), .writeProtect)
            try context.expectErrno(.noEntry, "RWPROTECT of a WP range") { () throws(Failure) in
                try bench.uffd.readWriteProtect(bench.memory.page(0))
            }
            try context.expectErrno(.noEntry, "WRITEPROTECT of an RWP range") { () throws(Failure) in
                try bench.uffd.writeProtect(bench.memory.page(3))
            }
            try bench.memory.expectUffdBit(on: 0..<0, context, "after both")
        },
        check(
            "api-rwprotect-across",
            "A range over two VMAs and the hole between them: both are armed, and both are resolved.",
            rules: "P1 P4",
            needs: needsRWP
        ) { (context) throws(Failure) in
            let (anon, file, whole) = try twoWithHole()
            let uffd = try Userfaultfd(features: .readWriteProtect)
            for memory in [anon, file] {
                memory.fill()
                try uffd.register(memory.range, .readWriteProtect)
            }
            try uffd.readWriteProtect(whole)
            for memory in [anon, file] { try memory.expectUffdBit(on: 0..<2, context, "after arming over a hole") }
            try uffd.readWriteProtect(whole, false)
            for memory in [anon, file] { try memory.expectUffdBit(on: 0..<0, context, "after resolving over a hole") }
        },
        check(
            "api-rwprotect-across-unfit",
            "If one VMA of the range lacks RWP, ENOENT, and not a page of the others is armed.",
            rules: "P4",
            needs: needsRWP
        ) { (context) throws(Failure) in
            for registered in 0..<2 {
                let (anon, file, whole) = try twoWithHole()
                let uffd = try Userfaultfd(features: .readWriteProtect)
                for memory in [anon, file] { memory.fill() }
                let (fit, other) = registered == 0 ? (anon, file) : (file, anon)
                try uffd.register(fit.range, .readWriteProtect)
                try context.expectErrno(.noEntry, "one VMA without RWP") { () throws(Failure) in
                    try uffd.readWriteProtect(whole)
                }
                for memory in [anon, file] { try memory.expectUffdBit(on: 0..<0, context, "after the refused call") }
                try uffd.readWriteProtect(fit.range)
                let waiter = try Access.read(fit, 0)
                try context.expectFault(uffd, at: fit.address(0), .readWriteProtect)
                for dontWake in [false, true] {
                    try context.expectErrno(.noEntry, "resolving one VMA without RWP") { () throws(Failure) in
                        try uffd.readWriteProtect(whole, false, dontWake: dontWake)
                    }
                    try fit.expectUffdBit(on: 0..<2, context, "after a refused call")
                    try context.expectAsleep(uffd, 1)
                }
                try other.expectUffdBit(on: 0..<0, context, "where RWP is not")
                try uffd.readWriteProtect(fit.range, false)
                try waiter.finish()
            }
        },
        Scenario(
            "api-rwprotect-hugetlb-part",
            "A part of a huge page, alone or after other memory: EINVAL, and nothing is armed.",
            rules: "P4",
            on: [.hugetlb, .hugetlbPrivate],
            needs: needsRWP,
            traps: false
        ) { (context) throws(Failure) in
            let memory = try Memory(context.kind, pages: 2)
            let flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED
            let before = memory.range.start - basePageSize
            try checked("mmap", cuffd_mmap(before, basePageSize, PROT_READ | PROT_WRITE, flags, -1, 0))
            cuffd_store8(before, 1)
            memory.fill()
            let uffd = try Userfaultfd(features: .readWriteProtect)
            try uffd.register(AddressRange(start: before, length: basePageSize), .readWriteProtect)
            try uffd.register(memory.range, .readWriteProtect)
            let half = memory.pageSize / 2
            let pagemap = try Pagemap()
            for mode: UInt64 in [1, 0, 2] {
                for range in [
                    AddressRange(start: memory.range.start, length: half),
                    AddressRange(start: memory.range.start + half, length: half),
                    AddressRange(start: before, length: basePageSize + half),
                ] {
                    try context.expectErrno(.invalid, "part of a huge page, mode \(mode)") { () throws(Failure) in
                        try uffd.readWriteProtect(range, mode: mode)
                    }
                }
                let armed = mode == 1 ? 0..<0 : 0..<2
                try memory.expectUffdBit(on: armed, context, "after the refused calls")
                try context.expect(try pagemap.entry(before).isUffd != armed.isEmpty, "the page before was changed")
                for good in [AddressRange(start: before, length: basePageSize), memory.range] {
                    try uffd.readWriteProtect(good)
                }
                try memory.expectUffdBit(on: 0..<2, context, "after a good call")
            }
        },
    ]

    static let needsRWP: [Need] = [.features(.readWriteProtect)]
}
