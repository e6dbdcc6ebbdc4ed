// SPDX-License-Identifier: GPL-2.0-only

import CUserfaultfd
import Userfaultfd

/// `UFFDIO_API` and what must not work before it.
extension API {
    static let negotiation: [Scenario] = [
        check(
            "api-offer",
            "UFFDIO_API without features reports what the kernel has: both bits of RWP or none, and SET_MODE with them.",
            rules: "N1"
        ) { (context) throws(Failure) in
            let offer = try Userfaultfd.offered()
            let old: Features = [
                .eventFork, .eventRemap, .eventRemove, .eventUnmap, .missingShmem, .missingHugetlbfs, .sigbus,
                .threadID,
                .exactAddress, .poison, .move,
            ]
            try context.expect(offer.features.isSuperset(of: old), "features are \(offer.features.description)")
            let rwp: Features = [.readWriteProtect, .readWriteProtectAsync]
            let offered = offer.features.intersection(rwp)
            try context.expect(offered == rwp || offered == [], "one bit of RWP without the other")
            var ioctls: Ioctls = [.register, .unregister, .api]
            if offered == rwp { ioctls.insert(.setMode) }
            try context.expectEqual(offer.ioctls.rawValue, ioctls.rawValue, "ioctls of the descriptor")
            context.note("features: \(offer.features.description)")
        },
        check(
            "api-each-feature",
            "Each feature that is offered can be asked for, and the answer is the same whatever was asked.",
            rules: "N1",
            needs: [.root]
        ) { (context) throws(Failure) in
            let offer = try Userfaultfd.offered()
            for bit in 0..<64 {
                var feature = Features(rawValue: 1 << UInt64(bit))
                guard offer.features.contains(feature) else { continue }
                if feature == .readWriteProtectAsync { feature.insert(.readWriteProtect) }
                let uffd = try Userfaultfd.open()
                defer { uffd.close() }
                let answer = try uffd.handshake(feature)
                try context.expect(answer == offer, "asked for \(feature.description), the offer differs")
            }
        },
        check(
            "api-unknown-feature",
            "Asking for a feature that is not offered: EINVAL, and the struct is zeroed; another handshake then works.",
            rules: "N2"
        ) { (context) throws(Failure) in
            let offer = try Userfaultfd.offered().features
            for bit in 0..<64 where offer.rawValue >> UInt64(bit) & 1 == 0 {
                let uffd = try Userfaultfd.open([.userModeOnly])
                defer { uffd.close() }
                try refuseHandshake(context, uffd, api: 0xAA, features: 1 << UInt64(bit), .invalid, "bit \(bit)")
                _ = try context.step("handshake after a refusal") { () throws(Failure) in try uffd.handshake() }
            }
        },
        check(
            "api-wrong-version",
            "Another API number than 0xAA: EINVAL, and the struct is zeroed; the right one then works."
        ) { (context) throws(Failure) in
            let uffd = try Userfaultfd.open([.userModeOnly])
            for number: UInt64 in [0, 0xA9, 0xAB, 0xAA | 1 << 32] {
                try refuseHandshake(context, uffd, api: number, features: 0, .invalid, "API \(number)")
            }
            _ = try uffd.handshake()
        },
        check(
            "api-twice",
            "A second handshake: EINVAL, and the struct is zeroed; the first one's features stay."
        ) { (context) throws(Failure) in
            let uffd = try Userfaultfd.open([.userModeOnly, .nonblocking])
            _ = try uffd.handshake(.sigbus)
            try refuseHandshake(context, uffd, api: 0xAA, features: 0, .invalid, "second handshake")
            let memory = try Memory(.anon, pages: 1)
            try uffd.register(memory.range, .missing)
            try context.expectEqual(Probe.read(memory.address(0)).signal, SIGBUS, "signal under the first handshake")
        },
        check("api-fault", "A bad pointer, or an argument that cannot be written: EFAULT.") {
            (context) throws(Failure) in
            let uffd = try Userfaultfd.open([.userModeOnly])
            try context.expectErrno(.fault, "bad pointer") { () throws(Failure) in
                try uffd.request("UFFDIO_API", CUFFD_API, argument: 1)
            }
            let argument = try RawArgument(0xAA, 0, 0)
            try argument.makeReadOnly()
            try context.expectErrno(.fault, "read-only argument") { () throws(Failure) in
                try uffd.request("UFFDIO_API", CUFFD_API, argument: argument.address)
            }
            _ = try uffd.handshake()
        },
        check("api-before", "Every other call before the handshake: EINVAL.") { (context) throws(Failure) in
            let uffd = try Userfaultfd.open([.userModeOnly, .nonblocking])
            let memory = try Memory(.anon, pages: 1)
            let requests = [
                CUFFD_REGISTER, CUFFD_UNREGISTER, CUFFD_WAKE, CUFFD_COPY, CUFFD_ZEROPAGE, CUFFD_MOVE,
                CUFFD_WRITEPROTECT, CUFFD_CONTINUE, CUFFD_POISON, CUFFD_RWPROTECT, CUFFD_SET_MODE,
            ]
            for number in requests {
                let argument = try RawArgument(UInt64(memory.range.start), UInt64(memory.range.length), 1)
                try context.expectErrno(.invalid, "request \(number & 0xFF)") { () throws(Failure) in
                    try uffd.request("request", number, argument: argument.address)
                }
            }
            try context.expectErrno(.invalid, "read(2)") { () throws(Failure) in _ = try uffd.poll() }
            let revents = try waitReadable(uffd.descriptor, milliseconds: 0)
            try context.expectEqual(revents, POLLERR, "revents of poll(2)")
            _ = try uffd.handshake()
            try uffd.register(memory.range, .missing)
        },
        check("api-unknown-request", "A request number that no kernel defines: EINVAL.") { (context) throws(Failure) in
            let uffd = try Userfaultfd(features: [], flags: [.userModeOnly])
            let argument = try RawArgument(0, 0, 0)
            for number in [CUFFD_API - 1, CUFFD_REGISTER & ~0xFF | 0x20, 0x5401] {
                try context.expectErrno(.invalid, "request \(hex(number))") { () throws(Failure) in
                    try uffd.request("request", number, argument: argument.address)
                }
            }
        },
        check("api-read-short", "read(2) into less room than one message: EINVAL.") { (context) throws(Failure) in
            let uffd = try Userfaultfd(features: [], flags: [.userModeOnly, .nonblocking])
            var bytes = [UInt8](repeating: 0, count: 31)
            let count = read(uffd.descriptor, &bytes, bytes.count)
            try context.expect(count == -1 && cuffd_errno() == EINVAL, "read of 31 bytes gave \(count)")
            try context.expect(try uffd.poll() == nil, "a message out of nowhere")
        },
    ]

    /// Makes a handshake that must fail with this error number and leave a zeroed struct (rule N2).
    static func refuseHandshake(
        _ context: Context,
        _ uffd: Userfaultfd,
        api: UInt64,
        features: UInt64,
        _ expected: Errno,
        _ what: @autoclosure () -> String
    ) throws(Failure) {
        let argument = try RawArgument(api, features, ~0)
        try context.expectErrno(expected, what()) { () throws(Failure) in
            try uffd.request("UFFDIO_API", CUFFD_API, argument: argument.address)
        }
        try argument.expectZeroed(3, context, what())
    }
}
