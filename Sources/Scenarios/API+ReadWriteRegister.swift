// SPDX-License-Identifier: GPL-2.0-only

import CUserfaultfd
import Userfaultfd

/// What registering for RWP refuses (rules G1 to G3).
extension API {
    static let badReadWriteRegister: [Scenario] = [
        check(
            "api-rwp-async-alone",
            "RWP_ASYNC without RWP, alone or with others: EINVAL, and the struct is zeroed.",
            rules: "N2",
            needs: needsRWP
        ) { (context) throws(Failure) in
            let uffd = try Userfaultfd.open([.userModeOnly])
            let rwp: Features = [.readWriteProtect, .readWriteProtectAsync]
            let others = try Userfaultfd.offered().features.subtracting(rwp.union(.eventFork)).rawValue
            for bit in 0..<64 where bit == 18 || others >> UInt64(bit) & 1 == 1 {
                let bits = Features.readWriteProtectAsync.rawValue | 1 << UInt64(bit)
                try refuseHandshake(context, uffd, api: 0xAA, features: bits, .invalid, "RWP_ASYNC, bit \(bit)")
            }
            let all = others | Features.readWriteProtectAsync.rawValue
            try refuseHandshake(context, uffd, api: 0xAA, features: all, .invalid, "RWP_ASYNC and all but RWP")
            _ = try uffd.handshake([.readWriteProtect, .readWriteProtectAsync])
        },
        onKinds("api-rwp-not-negotiated", "MODE_RWP without the feature: EINVAL.", "G1") {
            (context, memory) throws(Failure) in
            let uffd = try Userfaultfd(features: .writeProtect)
            try context.expectErrno(.invalid, "MODE_RWP") { () throws(Failure) in
                try uffd.register(memory.range, .readWriteProtect)
            }
            try Userfaultfd(features: .readWriteProtect).register(memory.range, .readWriteProtect)
        },
        onKinds(
            "api-rwp-with-wp",
            "MODE_RWP with MODE_WP in one call: EINVAL; either alone works.",
            "G1",
            needs: needsBoth
        ) {
            (context, memory) throws(Failure) in
            let uffd = try Userfaultfd(features: Tracked.features.union(.readWriteProtect))
            for mode: RegisterMode in [
                [.readWriteProtect, .writeProtect], [.readWriteProtect, .writeProtect, .missing],
            ] {
                try context.expectErrno(.invalid, "both modes") { () throws(Failure) in
                    try uffd.register(memory.range, mode)
                }
            }
            try uffd.register(memory.range, .writeProtect)
            try uffd.unregister(memory.range)
            try uffd.register(memory.range, .readWriteProtect)
        },
        check(
            "api-rwp-minor-anon",
            "RWP with MINOR on anonymous memory: EINVAL.",
            rules: "G1",
            needs: needsRWP
        ) { (context) throws(Failure) in
            for mode: RegisterMode in [[.readWriteProtect, .minor], [.readWriteProtect, .minor, .missing]] {
                try refuseRegister(context, mode, .invalid, then: mode.subtracting(.minor), .readWriteProtect)
            }
        },
        onKinds("api-rwp-read-only", "A read-only mapping can be registered and armed.", "G1") {
            (context, memory) throws(Failure) in
            let uffd = try Userfaultfd(features: .readWriteProtect)
            try memory.protect(memory.range, PROT_READ)
            try uffd.register(memory.range, .readWriteProtect)
            try uffd.readWriteProtect(memory.range)
            try memory.expectUffdBit(on: 0..<memory.pages, context, "after arming")
            try uffd.readWriteProtect(memory.range, false)
            try memory.check("after resolving")
        },
        check("api-rwp-special", "A special mapping, the vDSO's data: EINVAL.", rules: "G1", needs: needsRWP) {
            (context) throws(Failure) in
            let uffd = try Userfaultfd(features: [.readWriteProtect, .readWriteProtectAsync])
            guard let special = try mapping(named: "[vvar]") else { throw Failure("no [vvar] in /proc/self/maps") }
            try context.expectErrno(.invalid, "REGISTER of [vvar]") { () throws(Failure) in
                try uffd.register(special, .readWriteProtect)
            }
        },
        check(
            "api-rwp-file",
            "A file that is neither shmem nor hugetlb: EINVAL, also where WP_ASYNC takes any memory.",
            rules: "G1",
            needs: needsRWP + [.features(.writeProtectAsync), .root, .ownMachine]
        ) { (context) throws(Failure) in
            let file = try ramfsFile(length: basePageSize)
            let features: Features = [.readWriteProtect, .readWriteProtectAsync, .writeProtectAsync]
            for sharing in [MAP_PRIVATE, MAP_SHARED] {
                let place = cuffd_mmap(0, basePageSize, PROT_READ | PROT_WRITE, sharing, file, 0)
                let range = AddressRange(start: UInt(try checked("mmap", place)), length: basePageSize)
                let uffd = try Userfaultfd(features: features)
                try context.expectErrno(.invalid, "REGISTER of a file") { () throws(Failure) in
                    try uffd.register(range, .readWriteProtect)
                }
                try uffd.register(range, .writeProtect)
            }
        },
        onKinds("api-rwp-inaccessible", "A range with PROT_NONE memory, all of it or a part: EINVAL.", "G2") {
            (context, memory) throws(Failure) in
            let uffd = try Userfaultfd(features: .readWriteProtect)
            for part in [0..<memory.pages, 0..<1, (memory.pages - 1)..<memory.pages] {
                try memory.protect(memory.pages(part), PROT_NONE)
                try context.expectErrno(.invalid, "PROT_NONE") { () throws(Failure) in
                    try uffd.register(memory.range, .readWriteProtect)
                }
                try memory.protect(memory.range, PROT_READ | PROT_WRITE)
            }
            try uffd.register(memory.range, .readWriteProtect)
        },
        onKinds(
            "api-register-inaccessible",
            "The other modes take PROT_NONE memory; once it is accessible it traps.",
            "G2",
            needs: needsBoth
        ) { (context, memory) throws(Failure) in
            let shared: [RegisterMode] = context.kind.isShared ? [.minor] : []
            let others: [RegisterMode] = [.writeProtect, .missing, [.missing, .writeProtect]]
            for mode in others + shared {
                let uffd = try Userfaultfd(features: Tracked.features.union(.readWriteProtect))
                try memory.protect(memory.range, PROT_NONE)
                try uffd.register(memory.range, mode)
                try memory.protect(memory.range, PROT_READ | PROT_WRITE)
                if mode.contains(.writeProtect) {
                    try uffd.writeProtect(memory.page(0))
                    let writer = try Access.write(memory, 0, offset: 100, 1)
                    try context.expectFault(uffd, at: memory.address(0), [.writeProtect, .write])
                    try uffd.writeProtect(memory.page(0), false)
                    try writer.finish()
                }
                if mode != .writeProtect {
                    try memory.advise(memory.page(1), MADV_DONTNEED)
                    if mode != .minor && !context.kind.isAnonymous { try memory.punchHole(memory.page(1)) }
                    let reader = try Access.read(memory, 1)
                    try context.expectFault(uffd, at: memory.address(1), mode == .minor ? .minor : [])
                    if mode == .minor { try uffd.continue(memory.page(1)) } else { try uffd.copyPattern(memory, 1) }
                    try reader.finish()
                }
                uffd.close()
                try memory.check("at the end")
            }
        },
        onKinds(
            "api-rwp-inaccessible-later",
            "Memory that becomes PROT_NONE later can be unregistered and closed.",
            "G2"
        ) {
            (context, memory) throws(Failure) in
            for closes in [false, true] {
                let uffd = try Userfaultfd(features: .readWriteProtect)
                try uffd.register(memory.range, .readWriteProtect)
                try uffd.readWriteProtect(memory.range)
                try memory.expectUffdBit(on: 0..<memory.pages, context, "after arming")
                try memory.protect(memory.range, PROT_NONE)
                if !closes { try uffd.unregister(memory.range) }
                uffd.close()
                try memory.protect(memory.range, PROT_READ | PROT_WRITE)
                try memory.expectUffdBit(on: 0..<0, context, "after \(closes ? "closing" : "unregistering")")
                try memory.check("after \(closes ? "closing" : "unregistering")")
            }
        },
        onKinds(
            "api-rwp-lose-rwp",
            "Registering again so that RWP would be lost: EBUSY, and the arms stay.",
            "G3",
            needs: needsBoth
        ) {
            (context, memory) throws(Failure) in
            let uffd = try Userfaultfd(features: Tracked.features.union(.readWriteProtect))
            try uffd.register(memory.range, .readWriteProtect)
            try uffd.readWriteProtect(memory.range)
            for mode: RegisterMode in [.writeProtect, .missing, [.missing, .writeProtect]] {
                try context.expectErrno(.busy, "mode \(mode.rawValue)") { () throws(Failure) in
                    try uffd.register(memory.range, mode)
                }
            }
            try memory.expectUffdBit(on: 0..<memory.pages, context, "after the refused calls")
            try uffd.register(memory.range, [.readWriteProtect, .missing])
            try memory.expectUffdBit(on: 0..<memory.pages, context, "after adding a mode")
            try uffd.unregister(memory.range)
            try uffd.register(memory.range, .writeProtect)
            try memory.expectUffdBit(on: 0..<0, context, "after handing the range to WP")
        },
        onKinds(
            "api-rwp-lose-wp",
            "Registering again so that WP would be lost: EBUSY, and the protection stays.",
            "G3",
            needs: needsBoth
        ) {
            (context, memory) throws(Failure) in
            let uffd = try Userfaultfd(features: Tracked.features.union(.readWriteProtect))
            try uffd.register(memory.range, .writeProtect)
            try uffd.writeProtect(memory.range)
            for mode: RegisterMode in [.readWriteProtect, .missing, [.missing, .readWriteProtect]] {
                try context.expectErrno(.busy, "mode \(mode.rawValue)") { () throws(Failure) in
                    try uffd.register(memory.range, mode)
                }
            }
            try memory.expectUffdBit(on: 0..<memory.pages, context, "after the refused calls")
            try uffd.register(memory.range, [.writeProtect, .missing])
            try memory.expectUffdBit(on: 0..<memory.pages, context, "after adding a mode")
            try uffd.unregister(memory.range)
            try uffd.register(memory.range, .readWriteProtect)
            try memory.expectUffdBit(on: 0..<0, context, "after handing the range to RWP")
        },
    ]

    /// A new file on ramfs, which is always there and is no shmem, in a mount namespace of its own.
    private static func ramfsFile(length: UInt) throws(Failure) -> Int32 {
        let newNamespace = 0x0002_0000  // CLONE_NEWNS
        try checked("unshare", cuffd_syscall(Int(SYS_unshare), newNamespace, 0, 0, 0, 0, 0))
        try checked("mount of ramfs", cuffd_mount("ramfs", "/tmp", ""))
        let file = try checked("open", cuffd_open("/tmp/file", O_RDWR | O_CREAT, 0o600))
        if ftruncate(file, Int(length)) != 0 { throw Failure(call: "ftruncate", code: cuffd_errno()) }
        return Int32(file)
    }

    /// WP of all kinds, too.
    private static let needsBoth = needsRWP + [.features(Tracked.features)]

    /// A case of registering for RWP; the memory is populated. Arming huge pages of shmem is a subject of its own (B3,
    /// rwp-thp), which the cases here leave out.
    private static func onKinds(
        _ name: StaticString,
        _ summary: StaticString,
        _ rules: StaticString,
        needs: [Need] = needsRWP,
        _ body: @escaping @Sendable (Context, Memory) throws(Failure) -> Void
    ) -> Scenario {
        let kinds = MemoryKind.all.filter { $0 != .shmemTHP }
        return Scenario(name, summary, rules: rules, on: kinds, needs: needs, traps: false) {
            (context) throws(Failure) in
            let memory = try Memory(context.kind, pages: 4)
            try memory.populate()
            try body(context, memory)
        }
    }
}
