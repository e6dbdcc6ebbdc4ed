// SPDX-License-Identifier: GPL-2.0-only

import CUserfaultfd
import Userfaultfd

/// Protected pages in the memory of a device, or which it alone may access.
extension WriteProtect {
    static let devices: [Scenario] = [
        device("wp-device", "Protected pages that a device takes, and gives back, stay protected.") {
            (tracked, device) throws(Failure) in
            let all = 0..<tracked.memory.pages
            try device.take(tracked.memory, all)
            try tracked.expectProtected(all, "on the device")
            try device.expectRight(.read, tracked, 1)
            try device.giveBack(tracked.memory, all)
            try tracked.expectProtected(all, "given back")
        },
        device("wp-device-write", "A write to protected pages that a device has traps.") {
            (tracked, device) throws(Failure) in
            try device.take(tracked.memory, 0..<tracked.memory.pages)
        },
        device("wp-device-protect", "Pages can be protected and resolved while a device has them.") {
            (tracked, device) throws(Failure) in
            let all = 0..<tracked.memory.pages
            try tracked.resolve()
            try device.take(tracked.memory, all)
            try device.expectRight(.write, tracked, 1)
            try tracked.protect()
            try tracked.expectProtected(all, "on the device")
            try device.expectRight(.read, tracked, 1)
            try tracked.resolve(1..<2)
            try tracked.expectProtected(without: 1, "resolved on the device")
            try tracked.expectNoTrap(1, offset: 16)
            try tracked.protect(1..<2)
        },
        device(
            "wp-device-exclusive",
            "Pages can be protected while a device has them for itself; it does not get protected ones.",
            on: [.anon]
        ) { (tracked, device) throws(Failure) in
            let memory = tracked.memory
            try tracked.context.expectErrno(.fault, "exclusive access to a protected page") { () throws(Failure) in
                try device.exclude(memory.page(1))
            }
            try tracked.expectQuiet("after the device was refused")
            try tracked.resolve()
            try device.exclude(memory.range)
            try tracked.protect()
            try tracked.expectProtected(0..<4, "exclusive")
            // What is read comes back, protected; a write to the last one traps before.
            try memory.check(0..<3, "read")
            try tracked.expectProtected(0..<4, "read")
            for page in 0..<4 {
                try tracked.context.expect(try memory.entry(page).isPresent == (page < 3), "page \(page), read up to 3")
            }
        },
    ]

    private static let deviceNeeds: [Need] =
        [.features(Tracked.features), .pagemapScan] + DeviceMirror.needs

    /// Protected memory; what `act` leaves protected traps.
    private static func device(
        _ name: StaticString,
        _ summary: StaticString,
        on kinds: [MemoryKind] = MemoryKind.anonymous,
        _ act: @escaping @Sendable (Tracked, DeviceMirror) throws(Failure) -> Void
    ) -> Scenario {
        Scenario(name, summary, on: kinds, needs: deviceNeeds) { (context) throws(Failure) in
            let tracked = try Tracked(context)
            try tracked.protect()
            try act(tracked, try DeviceMirror())
            for page in [0, 1, 2, tracked.memory.pages - 1] { try tracked.expectTrap(page, offset: 24) }
            try tracked.memory.check("at the end")
        }
    }
}

extension DeviceMirror {
    /// Fails unless the device may do just this to a page without a fault.
    fileprivate func expectRight(
        _ expected: Right,
        _ tracked: Tracked,
        _ page: Int,
        line: UInt = #line
    ) throws(Failure) {
        let isRight = try right(to: page, of: tracked.memory) == expected
        try tracked.context.expect(isRight, "what the device may do to page \(page)", line: line)
    }
}
