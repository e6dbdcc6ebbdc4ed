// SPDX-License-Identifier: GPL-2.0-only

import CUserfaultfd
import Userfaultfd

/// What REGISTER and UNREGISTER refuse beside bad ranges, and what of several VMAs they take.
extension API {
    static let badRegister: [Scenario] = [
        check("api-register-no-mode", "REGISTER without a mode: EINVAL.") { (context) throws(Failure) in
            try refuseRegister(context, [], .invalid, then: .missing)
        },
        check("api-register-unknown-mode", "REGISTER with an unknown mode bit: EINVAL.") { (context) throws(Failure) in
            for bit: UInt64 in 4..<64 {
                let mode = RegisterMode(rawValue: 1 << bit | 1)
                try refuseRegister(context, mode, .invalid, then: .missing)
            }
        },
        check("api-register-minor-anon", "MINOR on anonymous memory: EINVAL.") { (context) throws(Failure) in
            try refuseRegister(context, .minor, .invalid, then: .missing)
            try refuseRegister(context, [.minor, .missing], .invalid, then: .missing)
        },
        check("api-register-no-vma", "REGISTER and UNREGISTER where nothing is mapped: EINVAL.") {
            (context) throws(Failure) in
            let uffd = try Userfaultfd(features: [])
            let memory = try Memory(.anon, pages: 2)
            try memory.unmap()
            try context.expectErrno(.invalid, "REGISTER") { () throws(Failure) in
                try uffd.register(memory.range, .missing)
            }
            try context.expectErrno(.invalid, "UNREGISTER") { () throws(Failure) in try uffd.unregister(memory.range) }
        },
        check("api-register-special", "A special mapping, the vDSO's data: EINVAL.") { (context) throws(Failure) in
            let uffd = try Userfaultfd(features: [])
            guard let special = try mapping(named: "[vvar]") else { throw Failure("no [vvar] in /proc/self/maps") }
            try context.expectErrno(.invalid, "REGISTER of [vvar]") { () throws(Failure) in
                try uffd.register(special, .missing)
            }
        },
        check(
            "api-register-read-only-file",
            "A shared mapping of a file that was opened for reading alone: EPERM; a private one of it works."
        ) { (context) throws(Failure) in
            let uffd = try Userfaultfd(features: [])
            let file = try Memory(.shmem, pages: 2)
            let descriptor = try checked("open", cuffd_open("/proc/self/fd/\(file.descriptor)", O_RDONLY, 0))
            let length = file.range.length
            let shared = UInt(try checked("mmap", cuffd_mmap(0, length, PROT_READ, MAP_SHARED, descriptor, 0)))
            try context.expectErrno(.notPermitted, "shared read-only file") { () throws(Failure) in
                try uffd.register(AddressRange(start: shared, length: length), .missing)
            }
            let own = UInt(try checked("mmap", cuffd_mmap(0, length, PROT_READ, MAP_PRIVATE, descriptor, 0)))
            try uffd.register(AddressRange(start: own, length: length), .missing)
        },
        check("api-register-busy", "A range of another userfaultfd's: EBUSY; free again once that one closes.") {
            (context) throws(Failure) in
            let first = try Userfaultfd(features: [])
            let second = try Userfaultfd(features: [])
            let memory = try Memory(.anon, pages: 4)
            try first.register(memory.pages(1..<3), .missing)
            try context.expectErrno(.busy, "all of the range") { () throws(Failure) in
                try second.register(memory.range, .missing)
            }
            try context.expectErrno(.invalid, "UNREGISTER of another's") { () throws(Failure) in
                try second.unregister(memory.range)
            }
            try second.register(memory.page(0), .missing)
            first.close()
            try second.register(memory.range, .missing)
        },
        check("api-register-answer", "An argument that cannot take the answer: EFAULT.") { (context) throws(Failure) in
            let uffd = try Userfaultfd(features: [])
            let memory = try Memory(.anon, pages: 1)
            let argument = try RawArgument(UInt64(memory.range.start), UInt64(memory.range.length), 1, 0)
            try argument.makeReadOnly()
            try context.expectErrno(.fault, "read-only argument") { () throws(Failure) in
                try uffd.request("UFFDIO_REGISTER", CUFFD_REGISTER, argument: argument.address)
            }
        },
        check(
            "api-register-across",
            "A range over two VMAs and the hole between them: both are registered, protected and unregistered.",
            needs: [.features(Tracked.features)]
        ) { (context) throws(Failure) in
            let (anon, file, whole) = try twoWithHole()
            let uffd = try Userfaultfd(features: Tracked.features)
            anon.fill()
            file.fill()
            try uffd.register(whole, .writeProtect)
            try uffd.writeProtect(whole)
            for memory in [anon, file] {
                try context.expect(try memory.entry(0).isUffd, "\(memory.kind.name) is not protected")
            }
            try uffd.unregister(whole)
            for memory in [anon, file] {
                try context.expect(try !memory.entry(0).isUffd, "\(memory.kind.name) is still protected")
                memory.fill(seed: 2)
                try memory.check(seed: 2, "after unregistering")
            }
        },
        check(
            "api-register-across-unfit",
            "If one VMA of the range is unfit for the mode, EINVAL, and the others are not registered.",
            needs: [.features(Tracked.features.union(.minorShmem))]
        ) { (context) throws(Failure) in
            let (anon, file, whole) = try twoWithHole()
            let uffd = try Userfaultfd(features: Tracked.features)
            try context.expectErrno(.invalid, "MINOR on anonymous memory and shmem") { () throws(Failure) in
                try uffd.register(whole, [.minor, .writeProtect])
            }
            for memory in [anon, file] {
                try context.expectErrno(.noEntry, "WRITEPROTECT of \(memory.kind.name)") { () throws(Failure) in
                    try uffd.writeProtect(memory.range)
                }
            }
            try uffd.register(file.range, [.minor, .writeProtect])
        },
        check("api-unregister-unregistered", "UNREGISTER of a range that is not registered succeeds, and does nothing.")
        {
            (context) throws(Failure) in
            let uffd = try Userfaultfd(features: [])
            let memory = try Memory(.anon, pages: 4)
            try uffd.unregister(memory.range)
            try uffd.register(memory.pages(0..<2), .missing)
            try uffd.unregister(memory.pages(2..<4))
            try context.expectErrno(.noEntry, "ZEROPAGE outside") { () throws(Failure) in
                try uffd.zeropage(memory.page(3))
            }
            try uffd.zeropage(memory.page(0))
        },
        Scenario(
            "api-register-hugetlb-part",
            "A part of a huge page: EINVAL to REGISTER and UNREGISTER, at either end.",
            on: [.hugetlb, .hugetlbPrivate],
            traps: false
        ) { (context) throws(Failure) in
            let uffd = try Userfaultfd(features: [])
            let memory = try Memory(context.kind, pages: 2)
            let half = memory.pageSize / 2
            let late = AddressRange(start: memory.range.start + half, length: memory.range.length - half)
            let early = AddressRange(start: memory.range.start, length: memory.range.length - half)
            for range in [late, early] {
                try context.expectErrno(.invalid, "REGISTER") { () throws(Failure) in try uffd.register(range, .missing)
                }
            }
            try uffd.register(memory.range, .missing)
            for range in [late, early] {
                try context.expectErrno(.invalid, "UNREGISTER") { () throws(Failure) in try uffd.unregister(range) }
            }
            try uffd.unregister(memory.range)
        },
    ]

    static func refuseRegister(
        _ context: Context,
        _ mode: RegisterMode,
        _ expected: Errno,
        then good: RegisterMode,
        _ features: Features = []
    ) throws(Failure) {
        let uffd = try Userfaultfd(features: features)
        defer { uffd.close() }
        let memory = try Memory(.anon, pages: 1)
        try context.expectErrno(expected, "mode \(hex(UInt(mode.rawValue)))") { () throws(Failure) in
            try uffd.register(memory.range, mode)
        }
        try uffd.register(memory.range, good)
        try memory.unmap()
    }

    /// Anonymous memory, a hole of a page, shmem, and the range over all of it.
    static func twoWithHole() throws(Failure) -> (Memory, Memory, AddressRange) {
        let room = try Memory(.anon, pages: 5)
        let (anon, file) = (try Memory(.anon, pages: 2), try Memory(.shmem, pages: 2))
        let flags = MREMAP_MAYMOVE | MREMAP_FIXED
        try checked(
            "mremap",
            cuffd_mremap(anon.range.start, anon.range.length, anon.range.length, flags, room.address(0))
        )
        try checked(
            "mremap",
            cuffd_mremap(file.range.start, file.range.length, file.range.length, flags, room.address(3))
        )
        if munmap(UnsafeMutableRawPointer(bitPattern: room.address(2)), Int(basePageSize)) != 0 {
            throw Failure(call: "munmap", code: cuffd_errno())
        }
        return (anon.moved(to: room.address(0)), file.moved(to: room.address(3)), room.range)
    }

    /// The mapping of this name in /proc/self/maps (proc_pid_maps(5)).
    static func mapping(named name: String) throws(Failure) -> AddressRange? {
        for line in try FileAccess.lines("/proc/self/maps") where line.includes(name) {
            let ends = (line.words.first ?? "").parts(separatedBy: 0x2D)
            guard ends.count == 2, let start = UInt(hexadecimal: ends[0]), let end = UInt(hexadecimal: ends[1]) else {
                continue
            }
            return AddressRange(start: start, length: end - start)
        }
        return nil
    }
}

extension UInt {
    /// The number that these hexadecimal digits, without a prefix, are; nil for anything else.
    init?(hexadecimal text: String) {
        var value: UInt = 0
        for byte in text.utf8 {
            switch byte {
            case 0x30...0x39: value = value << 4 | UInt(byte - 0x30)
            case 0x61...0x66: value = value << 4 | UInt(byte - 0x61 + 10)
            default: return nil
            }
        }
        if text.utf8.isEmpty { return nil }
        self = value
    }
}
