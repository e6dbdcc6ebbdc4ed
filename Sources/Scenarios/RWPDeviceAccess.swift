// SPDX-License-Identifier: GPL-2.0-only

import CUserfaultfd
import Userfaultfd

/// A device's own accesses to armed memory (rules F1, F2), and pages that it alone may access (rule L1).
enum RWPDeviceAccess {
    static let scenarios: [Scenario] = [
        scenario(
            "rwp-device-read-sync",
            "a device cannot read what was armed in its memory, since its fault cannot wait",
            rules: "F1",
            on: MemoryKind.anonymous,
            readSync
        ),
        scenario(
            "rwp-device-read-async",
            "what a device reads of armed memory is accessed",
            rules: "F2 S2",
            on: MemoryKind.anonymous,
            readAsync
        ),
        scenario(
            "rwp-device-exclusive-sync",
            "a device does not get an armed page for itself",
            rules: "F1 F5",
            exclusiveSync
        ),
        scenario(
            "rwp-device-exclusive-async",
            "what a device has for itself is accessed",
            rules: "F2 F5",
            exclusiveAsync
        ),
        scenario(
            "rwp-device-exclusive-arm",
            "pages that a device has for itself can be armed, and are when it loses them to a CPU",
            rules: "L1 P1 F1",
            armExclusive
        ),
        scenario(
            "rwp-device-exclusive-resolve",
            "pages that a device has for itself can be resolved",
            rules: "L1 P2",
            resolveExclusive
        ),
        scenario(
            "rwp-device-exclusive-fork",
            "fork(2) takes armed pages from the device: the parent's stay armed, the child's are not",
            rules: "L1 L3",
            forkExclusive
        ),
        scenario(
            "rwp-device-fork",
            "armed pages that a device has: armed in the parent, accessible in the child",
            rules: "L1 L3",
            on: MemoryKind.anonymous,
            fork
        ),
        Scenario(
            "rwp-device-fork-event",
            "armed pages that a device has are armed in a child with EVENT_FORK, too",
            rules: "L1 L3",
            on: MemoryKind.anonymous,
            needs: RWPDevice.needs + [.features(.eventFork)],
            forkEvent
        ),
    ]

    private static func scenario(
        _ name: StaticString,
        _ summary: StaticString,
        rules: StaticString,
        on kinds: [MemoryKind] = [.anon],
        _ body: @escaping @Sendable (Protected, DeviceMirror) throws(Failure) -> Void
    ) -> Scenario {
        let isAsync = name.text.ends(with: "-async")
        return Scenario(name, summary, rules: rules, on: kinds, needs: RWPDevice.needs) {
            (context) throws(Failure) in
            let protected = try Protected(context, async: isAsync)
            try protected.showTrap()
            if !isAsync { try protected.resolve(0..<4) }
            try body(protected, try DeviceMirror())
        }
    }

    /// Lets the device take every page, arms them there, and gives the first word of one.
    ///
    /// Before the device tries to read again, HMM is asked: test_hmm follows what that says into memory that is not there.
    private static func armedOnDevice(
        _ protected: Protected,
        _ device: DeviceMirror,
        _ page: Int
    ) throws(Failure) -> UInt64 {
        let (memory, context) = (protected.memory, protected.context)
        try device.take(memory, 0..<memory.pages)
        let word = try device.read(memory, page)
        try context.expect(try device.mayAccess(memory, page), "the device may not access its own memory")
        try protected.armAll()
        try context.expect(try !device.mayAccess(memory, page), "the device may access an armed page without a fault")
        return word
    }

    private static func readSync(_ protected: Protected, _ device: DeviceMirror) throws(Failure) {
        let (memory, context) = (protected.memory, protected.context)
        let page = memory.firstPage(1)
        let word = try armedOnDevice(protected, device, page)
        for page in [page, memory.firstPage(2)] {
            try context.expectErrno(.fault, "the device's read of an armed page") { () throws(Failure) in
                try device.read(memory, page)
            }
        }
        try protected.expectNoMessage("a fault that cannot wait")
        try protected.expectAccessed([], "after the device's reads")
        try protected.resolve(1..<2)
        try context.expect(try device.read(memory, page) == word, "the device read something else")
        try protected.expectAccessed([1], "after the device's read")
        try protected.expectTrap(2, .read)
        try protected.resolve(0..<4)
        try memory.check("at the end")
    }

    private static func readAsync(_ protected: Protected, _ device: DeviceMirror) throws(Failure) {
        let memory = protected.memory
        let page = memory.firstPage(1)
        let word = try armedOnDevice(protected, device, page)
        try protected.expectAccessed([], "armed on the device")
        try protected.context.expect(try device.read(memory, page) == word, "the device read something else")
        try protected.expectAccessed([1], "after the device's read")
        try memory.check("at the end")
    }

    private static func exclusiveSync(_ protected: Protected, _ device: DeviceMirror) throws(Failure) {
        let (memory, context) = (protected.memory, protected.context)
        try protected.armAll()
        try context.expectErrno(.fault, "exclusive access to an armed page") { () throws(Failure) in
            try device.exclude(memory.page(1))
        }
        try protected.expectNoMessage("a fault that cannot wait")
        try protected.expectAccessed([], "after the device was refused")
        try protected.resolve(1..<2)
        try device.exclude(memory.page(1))
        try protected.expectAccessed([1], "exclusive")
        try protected.resolve(0..<4)
        try memory.check("at the end")
    }

    private static func exclusiveAsync(_ protected: Protected, _ device: DeviceMirror) throws(Failure) {
        let memory = protected.memory
        try protected.armAll()
        try device.exclude(memory.page(1))
        try protected.expectAccessed([1], "exclusive")
        memory.load(2)
        try protected.expectAccessed([1, 2], "after a read of another page")
        try memory.check("at the end")
    }

    /// Gives the device every page and arms them; nothing is present then.
    private static func armedExclusive(_ protected: Protected, _ device: DeviceMirror) throws(Failure) {
        let memory = protected.memory
        try device.exclude(memory.range)
        try protected.armAll()
        for page in 0..<memory.pages {
            let entry = try memory.entry(page)
            try protected.context.expect(!entry.isPresent && entry.isSwapped, "page \(page) is not exclusive")
        }
        try protected.expectAccessed([], "armed while exclusive")
    }

    private static func armExclusive(_ protected: Protected, _ device: DeviceMirror) throws(Failure) {
        try armedExclusive(protected, device)
        try protected.expectTrap(1, .read)
        try protected.expectTrap(2, .write(0x42), offset: 100)
        try protected.expectAccessed([1, 2], "after two accesses")
        try protected.resolve(0..<4)
        try protected.memory.check("at the end")
        let byte = protected.memory.load(2, offset: 100)
        try protected.context.expectEqual(byte, 0x42, "the byte written")
    }

    private static func resolveExclusive(_ protected: Protected, _ device: DeviceMirror) throws(Failure) {
        try armedExclusive(protected, device)
        let memory = protected.memory
        try protected.resolve(1..<2)
        try protected.expectAccessed([1], "resolved while exclusive")
        memory.store(1, offset: 100, 1)
        try protected.expectNoMessage("access of a resolved page")
        try protected.expectTrap(2, .read)
        try protected.resolve(0..<4)
        try memory.check("at the end")
    }

    private static func forkExclusive(_ protected: Protected, _ device: DeviceMirror) throws(Failure) {
        try armedExclusive(protected, device)
        try forkPlainly(protected)
    }

    private static func fork(_ protected: Protected, _ device: DeviceMirror) throws(Failure) {
        try protected.armAll()
        try device.take(protected.memory, 0..<protected.memory.pages)
        try forkPlainly(protected)
    }

    /// Forks without EVENT_FORK; child and parent write, and neither sees the other's bytes.
    private static func forkPlainly(_ protected: Protected) throws(Failure) {
        let memory = protected.memory
        let child = try Child { () throws(Failure) in
            // Would block forever if it trapped: the watchdog tells.
            try memory.check("in the child")
            memory.fill(seed: 2)
            try memory.check(seed: 2, "written in the child")
            for chunk in 0..<4 where try memory.entry(memory.firstPage(chunk)).isUffd {
                throw Failure("chunk \(chunk) is armed in a child without EVENT_FORK")
            }
            return 0
        }
        try child.waitForSuccess()
        try protected.expectNoMessage("accesses of the child")
        try protected.expectAccessed([], "the parent after the fork")
        for chunk in 0..<4 { try protected.expectTrap(chunk, chunk < 2 ? .read : .write(8), offset: 100) }
        try memory.check("in the parent")
    }

    private static func forkEvent(_ context: Context) throws(Failure) {
        let protected = try Protected(context, async: false, features: .eventFork)
        let memory = protected.memory
        try protected.showTrap()
        try protected.armAll()
        try DeviceMirror().take(memory, 0..<memory.pages)
        let (child, inherited) = try protected.fork { () throws(Failure) in
            for chunk in 0..<4 where try !memory.entry(memory.firstPage(chunk)).isUffd {
                throw Failure("chunk \(chunk) is not armed in the child")
            }
            memory.load(memory.firstPage(2))
            return 0
        }
        let fault = try inherited.nextFault()
        try context.expect(fault.flags == .readWriteProtect, "flags of the child's message")
        try context.expect(memory.chunk(2).contains(fault.address), "address of the child's message")
        try inherited.readWriteProtect(memory.chunk(2), false)
        try child.waitForSuccess()
        try protected.expectAccessed([], "the parent")
        try protected.expectTrap(2, .read)
        try protected.resolve(0..<4)
        try memory.check("in the parent")
    }
}
