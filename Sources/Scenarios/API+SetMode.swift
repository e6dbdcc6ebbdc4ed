// SPDX-License-Identifier: GPL-2.0-only

import CUserfaultfd
import Userfaultfd

/// What SET_MODE does and refuses (rule M1).
extension API {
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
            let uffd = try Userfaultfd(features: .writeProtect)
            try context.expectErrno(.invalid, "without RWP") { () throws(Failure) in
                try uffd.setMode(enable: .readWriteProtectAsync)
            }
        },
    ]

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
