// SPDX-License-Identifier: GPL-2.0-only

import CUserfaultfd
import Userfaultfd

/// What registering for RWP refuses (rules G1 to G3), and what SET_MODE does (M1).
extension API {
    static let badReadWriteRegister: [Scenario] = [
        check(
            "api-rwp-async-alone",
            "RWP_ASYNC without RWP: EINVAL, and the struct is zeroed.",
            rules: "N2",
            needs: needsRWP
        ) { (context) throws(Failure) in
            let uffd = try Userfaultfd.open([.userModeOnly])
            let bits = Features.readWriteProtectAsync.rawValue
            try refuseHandshake(context, uffd, api: 0xAA, features: bits, .invalid, "RWP_ASYNC alone")
            _ = try uffd.handshake([.readWriteProtect, .readWriteProtectAsync])
        },
        onKinds("api-rwp-not-negotiated", "MODE_RWP without the feature: EINVAL.", "G1") {
            (context, memory) throws(Failure) in
            let uffd = try Userfaultfd(features: Tracked.features)
            try context.expectErrno(.invalid, "MODE_RWP") { () throws(Failure) in
                try uffd.register(memory.range, .readWriteProtect)
            }
            try Userfaultfd(features: .readWriteProtect).register(memory.range, .readWriteProtect)
        },
        onKinds("api-rwp-with-wp", "MODE_RWP with MODE_WP in one call: EINVAL; either alone works.", "G1") {
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
        onKinds("api-rwp-lose-rwp", "Registering again so that RWP would be lost: EBUSY, and the arms stay.", "G3") {
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
        onKinds("api-rwp-lose-wp", "Registering again so that WP would be lost: EBUSY, and the protection stays.", "G3")
        {
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

    static let modeSwitch: [Scenario] = [
        setMode("api-setmode-overlap", "The same bit in enable and disable: EINVAL.") {
            (context, uffd, _) throws(Failure) in
            try context.expectErrno(.invalid, "overlap") { () throws(Failure) in
                try uffd.setMode(enable: .readWriteProtectAsync, disable: .readWriteProtectAsync)
            }
        },
        setMode("api-setmode-other", "Any other feature bit than RWP_ASYNC, on or off: EINVAL.") {
            (context, uffd, isAsync) throws(Failure) in
            // What would change the mode comes last, lest what follows change it back.
            for enables in [isAsync, !isAsync] {
                for bit in 0..<64 {
                    let feature = Features(rawValue: 1 << UInt64(bit))
                    if feature == .readWriteProtectAsync { continue }
                    let both = feature.union(.readWriteProtectAsync)
                    let sets: [(Features, Features)] = [([], feature), (.readWriteProtectAsync, feature), (both, [])]
                    for (good, bad) in sets {
                        try context.expectErrno(.invalid, "bit \(bit)") { () throws(Failure) in
                            try uffd.setMode(enable: enables ? good : bad, disable: enables ? bad : good)
                        }
                    }
                }
            }
        },
        setMode("api-setmode-fault", "A bad pointer: EFAULT; a read-only argument is good.") {
            (context, uffd, _) throws(Failure) in
            for address: UInt in [0, 1, UInt.max - 7] {
                try context.expectErrno(.fault, "argument at \(hex(address))") { () throws(Failure) in
                    try uffd.request("UFFDIO_SET_MODE", CUFFD_SET_MODE, argument: address)
                }
            }
            let argument = try RawArgument(0, 0)
            try argument.makeReadOnly()
            try uffd.request("UFFDIO_SET_MODE", CUFFD_SET_MODE, argument: argument.address)
        },
        setMode("api-setmode-toggle", "RWP_ASYNC on and off, and each again: success.") {
            (_, uffd, isAsync) throws(Failure) in
            for _ in 0..<3 {
                for enables in [!isAsync, isAsync] {
                    for _ in 0..<2 {
                        try uffd.setMode(
                            enable: enables ? .readWriteProtectAsync : [],
                            disable: enables ? [] : .readWriteProtectAsync
                        )
                    }
                }
            }
        },
        check(
            "api-setmode-not-negotiated",
            "Enabling RWP_ASYNC where RWP was not negotiated: EINVAL.",
            rules: "M1",
            needs: needsRWP
        ) { (context) throws(Failure) in
            let uffd = try Userfaultfd(features: Tracked.features)
            try context.expectErrno(.invalid, "without RWP") { () throws(Failure) in
                try uffd.setMode(enable: .readWriteProtectAsync)
            }
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

    /// A case of registering for RWP; the memory is populated. Arming huge pages of shmem is a subject of its own (B3,
    /// rwp-thp), which the cases here leave out.
    private static func onKinds(
        _ name: StaticString,
        _ summary: StaticString,
        _ rules: StaticString,
        _ body: @escaping @Sendable (Context, Memory) throws(Failure) -> Void
    ) -> Scenario {
        let kinds = MemoryKind.all.filter { $0 != .shmemTHP }
        return Scenario(name, summary, rules: rules, on: kinds, needs: needsRWP, traps: false) {
            (context) throws(Failure) in
            let memory = try Memory(context.kind, pages: 4)
            try memory.populate()
            try body(context, memory)
        }
    }

    /// A case of SET_MODE that leaves the mode as it was: afterwards a read still traps in a synchronous userfaultfd, and
    /// resolves by itself in an asynchronous one.
    private static func setMode(
        _ name: StaticString,
        _ summary: StaticString,
        _ body: @escaping @Sendable (Context, Userfaultfd, _ isAsync: Bool) throws(Failure) -> Void
    ) -> Scenario {
        Scenario(name, summary, rules: "M1", needs: needsRWP + [.pagemapScan]) { (context) throws(Failure) in
            for isAsync in [false, true] {
                let uffd = try Userfaultfd(
                    features: isAsync ? [.readWriteProtect, .readWriteProtectAsync] : .readWriteProtect
                )
                let memory = try Memory(.anon, pages: 1)
                memory.fill()
                try uffd.register(memory.range, .readWriteProtect)
                try body(context, uffd, isAsync)
                try uffd.setMode()
                try uffd.readWriteProtect(memory.range)
                try memory.expectUffdBit(on: 0..<1, context, "after arming")
                let reader = try Thread { () throws(Failure) in try memory.check("after the trap was resolved") }
                if !isAsync {
                    try context.expectFault(uffd, at: memory.address(0), .readWriteProtect)
                    try uffd.readWriteProtect(memory.range, false)
                }
                try reader.join()
                try context.expectNoMessage(uffd, "after the read")
                try context.expect(try memory.isAccessed(0), "the page that was read is not accessed")
            }
        }
    }
}
