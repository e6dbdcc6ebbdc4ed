// SPDX-License-Identifier: GPL-2.0-only

import CUserfaultfd
import Userfaultfd

/// Armed pages in the memory of a device (rule L1): entries that are neither present nor swapped out.
enum RWPDevice {
    static let needs = Need.rwp + DeviceMirror.needs

    static let scenarios: [Scenario] = [
        scenario(
            "rwp-device-sync",
            "pages that a device took stay armed, and trap when a CPU touches them",
            rules: "L1 F1",
            sync
        ),
        scenario(
            "rwp-device-async",
            "pages that a device took are accessed only where a CPU touched them",
            rules: "L1 F2 S2",
            async
        ),
        scenario(
            "rwp-device-arm",
            "pages can be armed while the device has them",
            rules: "L1 P1 F1 S1",
            armThere
        ),
        scenario(
            "rwp-device-resolve",
            "pages can be resolved while the device has them",
            rules: "L1 P2 S2",
            resolveThere
        ),
        scenario("rwp-device-back", "pages that the device gives back come armed", rules: "L1 F1", back),
        scenario(
            "rwp-device-swapped",
            "a device leaves a swapped-out armed page alone, and what it gives back can be swapped out",
            rules: "L1",
            needs: [.swap],
            swapped
        ),
        scenario(
            "rwp-device-zero",
            "a device does not get a page of its own in place of an armed zero page",
            rules: "L1"
        ) { (protected, device) throws(Failure) in try zeroPage(protected, device, armed: true) },
        scenario(
            "rwp-device-zero-unarmed",
            "a zero page that is not armed, and goes to a device, can be armed there",
            rules: "L1 P1 F1"
        ) { (protected, device) throws(Failure) in try zeroPage(protected, device, armed: false) },
        Scenario(
            "rwp-device-zero-wp",
            "a device does not get a page of its own in place of a write-protected zero page",
            rules: "L1",
            on: MemoryKind.anonymous,
            needs: needs + [.features(Tracked.features)]
        ) { (context) throws(Failure) in
            let tracked = try Tracked(context, populated: false)
            let memory = tracked.memory
            for page in 0..<memory.pages { memory.load(page) }
            try tracked.protect()
            try DeviceMirror().tryTake(memory.range)
            try tracked.expectProtected(0..<memory.pages, "offered to the device")
            for page in [0, memory.pages - 1] { try tracked.expectTrap(page) }
            try memory.checkZeroes(1..<(memory.pages - 1), "at the end")
        },
        scenario(
            "rwp-device-dontneed",
            "MADV_DONTNEED of armed pages that the device has leaves unpopulated addresses",
            rules: "L2",
            dontNeed
        ),
        scenario(
            "rwp-device-unregister",
            "unregistering makes the pages that the device has accessible",
            rules: "L6",
            unregister
        ),
        Scenario(
            "rwp-device-split",
            "arming and resolving one page of a huge one that the device has is about that page alone",
            rules: "L1 P1 P2",
            on: [.anonTHP],
            needs: needs,
            split
        ),
    ]

    private static func scenario(
        _ name: StaticString,
        _ summary: StaticString,
        rules: StaticString,
        needs more: [Need] = [],
        _ body: @escaping @Sendable (Protected, DeviceMirror) throws(Failure) -> Void
    ) -> Scenario {
        let isAsync = name.text.ends(with: "-async")
        return Scenario(name, summary, rules: rules, on: MemoryKind.anonymous, needs: needs + more) {
            (context) throws(Failure) in
            let protected = try Protected(context, async: isAsync)
            try protected.showTrap()
            try body(protected, try DeviceMirror())
        }
    }

    private static func sync(_ protected: Protected, _ device: DeviceMirror) throws(Failure) {
        let memory = protected.memory
        try protected.armAll()
        try device.take(memory, 0..<memory.pages)
        try protected.expectAccessed([], "on the device")
        try protected.expectTrap(1, .read)
        try protected.expectTrap(2, .write(0x55), offset: 100)
        try protected.expectAccessed([1, 2], "after two accesses")
        try protected.context.expect(memory.entry(memory.firstPage(1)).isPresent, "a touched page is not back")
        try protected.resolve(0..<4)
        try memory.check("at the end")
        try protected.context.expectEqual(memory.load(memory.firstPage(2), offset: 100), 0x55, "the byte written")
    }

    private static func async(_ protected: Protected, _ device: DeviceMirror) throws(Failure) {
        let memory = protected.memory
        try protected.armAll()
        memory.load(memory.firstPage(3))
        try device.take(memory, 0..<memory.pages)
        try protected.expectAccessed([3], "on the device")
        memory.load(memory.firstPage(1))
        memory.store(memory.firstPage(2), offset: 100, 4)
        try protected.expectAccessed([1, 2, 3], "after two accesses")
        try memory.check("at the end")
    }

    private static func armThere(_ protected: Protected, _ device: DeviceMirror) throws(Failure) {
        let memory = protected.memory
        try protected.resolve(0..<4)
        try device.take(memory, 0..<memory.pages)
        try protected.expectAccessed([0, 1, 2, 3], "on the device, unarmed")
        try protected.arm(1..<4)
        try protected.expectAccessed([0], "armed on the device")
        memory.load(memory.firstPage(0))
        try protected.expectNoMessage("access of an unarmed page")
        for chunk in [1, 2] { try protected.expectTrap(chunk, .read) }
        try protected.expectTrap(3, .write(1), offset: 100)
        try memory.check("at the end")
    }

    private static func resolveThere(_ protected: Protected, _ device: DeviceMirror) throws(Failure) {
        let memory = protected.memory
        try protected.armAll()
        try device.take(memory, 0..<memory.pages)
        try protected.resolve(1..<2)
        try protected.expectAccessed([1], "resolved on the device")
        let right = try device.right(to: memory.firstPage(1), of: memory)
        try protected.context.expect(right != .none, "the device may not access its own memory")
        memory.store(memory.firstPage(1), offset: 100, 7)
        try protected.expectNoMessage("access of a resolved page")
        try protected.expectTrap(2, .read)
        try protected.expectAccessed([1, 2], "after two accesses")
        try protected.resolve(0..<4)
        try memory.check("at the end")
    }

    private static func back(_ protected: Protected, _ device: DeviceMirror) throws(Failure) {
        let memory = protected.memory
        try protected.armAll()
        try protected.resolve(3..<4)
        try device.take(memory, 0..<memory.pages)
        try device.giveBack(memory, 0..<memory.pages)
        try protected.expectAccessed([3], "given back")
        memory.load(memory.firstPage(3))
        try protected.expectNoMessage("access of an unarmed page")
        for chunk in 0..<3 { try protected.expectTrap(chunk, .write(9), offset: 100) }
        try memory.check("at the end")
    }

    private static func swapped(_ protected: Protected, _ device: DeviceMirror) throws(Failure) {
        let memory = protected.memory
        try protected.armAll()
        try memory.swapOut(memory.pageNumbers(1..<2))
        try device.tryTake(memory.range)
        try protected.expectAccessed([], "swapped out and on the device")
        try protected.expectTrap(1, .read)
        try protected.armAll()
        try device.take(memory, memory.pageNumbers(2..<4))
        try device.giveBack(memory, memory.pageNumbers(2..<4))
        try memory.swapOut(memory.pageNumbers(2..<4))
        try protected.expectAccessed([], "swapped out after the device had it")
        for chunk in 2..<4 { try protected.expectTrap(chunk, .read) }
        try protected.resolve(0..<4)
        try memory.check("at the end")
    }

    private static func zeroPage(_ shown: Protected, _ device: DeviceMirror, armed: Bool) throws(Failure) {
        let protected = try Protected(shown.context, async: false, populated: false)
        let memory = protected.memory
        for page in 0..<memory.pages { memory.load(page) }
        if armed {
            try protected.armAll()
            try device.tryTake(memory.range)
        } else {
            try device.take(memory, 0..<memory.pages)
            try protected.expectAccessed([0, 1, 2, 3], "on the device")
            try protected.armAll()
        }
        try protected.expectAccessed([], "offered to the device")
        try protected.expectTrap(1, .read)
        try protected.expectTrap(2, .write(0x5A))
        try protected.resolve(0..<4)
        try memory.checkZeroes(memory.pageNumbers(0..<2), "of the zero page")
        try protected.context.expectEqual(memory.load(memory.firstPage(2)), 0x5A, "the byte written")
    }

    private static func dontNeed(_ protected: Protected, _ device: DeviceMirror) throws(Failure) {
        let memory = protected.memory
        try protected.armAll()
        try device.take(memory, 0..<memory.pages)
        try memory.advise(memory.chunks(1..<3), MADV_DONTNEED)
        try protected.expectAccessed([], "after MADV_DONTNEED")
        try memory.checkZeroes(memory.pageNumbers(1..<3), "after MADV_DONTNEED")
        try protected.expectNoMessage("access of unpopulated addresses")
        for chunk in [0, 3] { try protected.expectTrap(chunk, .read) }
        try memory.check(memory.pageNumbers(3..<4), "at the end")
    }

    private static func unregister(_ protected: Protected, _ device: DeviceMirror) throws(Failure) {
        let memory = protected.memory
        try protected.armAll()
        try device.take(memory, 0..<memory.pages)
        try protected.uffd.unregister(memory.range)
        for chunk in 0..<4 {
            let entry = try memory.entry(memory.firstPage(chunk))
            try protected.context.expect(!entry.isUffd, "chunk \(chunk) is armed without a registration")
        }
        // Would block forever if it trapped: the watchdog tells.
        try memory.check("unregistered")
        memory.fill(seed: 2)
        try memory.check(seed: 2, "written")
    }

    private static func split(_ context: Context) throws(Failure) {
        let protected = try Protected(context, async: false)
        try protected.showTrap()
        let memory = protected.memory
        try protected.resolve(0..<4)
        let device = try DeviceMirror()
        try device.take(memory, memory.pageNumbers(0..<2))
        try protected.uffd.readWriteProtect(memory.page(5))
        try protected.arm(1..<2)
        let other = memory.firstPage(1) + 7
        try protected.uffd.readWriteProtect(memory.page(other), false)
        try protected.expectArmedPages("on the device") {
            $0 == 5 || (memory.pageNumbers(1..<2).contains($0) && $0 != other)
        }
        for page in [4, 6, other] { memory.load(page) }
        try protected.expectNoMessage("accesses of unarmed pages")
        try protected.expectPageTrap(5)
        try protected.expectPageTrap(other + 1, .write(3), offset: 100)
        try protected.resolve(0..<4)
        try memory.check("at the end")
    }
}
