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
            on: MemoryKind.anonymous
        ) { (protected, device) throws(Failure) in try readSync(protected, device, taken: true) },
        scenario(
            "rwp-device-read-async",
            "what a device reads of armed memory is accessed",
            rules: "F2 S2",
            on: MemoryKind.anonymous
        ) { (protected, device) throws(Failure) in try readAsync(protected, device, taken: true) },
        scenario(
            "rwp-device-fault-sync",
            "a device cannot read what is armed in the system's memory, since its fault cannot wait",
            rules: "F1",
            on: MemoryKind.anonymous
        ) { (protected, device) throws(Failure) in try readSync(protected, device, taken: false) },
        scenario(
            "rwp-device-fault-async",
            "what a device reads of armed memory of the system's is accessed",
            rules: "F2 S2",
            on: MemoryKind.anonymous
        ) { (protected, device) throws(Failure) in try readAsync(protected, device, taken: false) },
        scenario(
            "rwp-device-writable",
            "what is resolved, or unregistered, in the device's memory can be written by the device again",
            rules: "P2 L6",
            on: MemoryKind.anonymous,
            writable
        ),
        softDirty("rwp-device-soft-dirty", "arming and resolving what a device has keeps it soft-dirty", written: 2),
        softDirty(
            "rwp-device-soft-clean",
            "arming and resolving what a device has makes nothing soft-dirty",
            written: -1
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

    /// Lets the device take every page, or not, arms them, and makes the third chunk inaccessible to everybody, for
    /// `DeviceMirror.fault`. Gives the last page before that.
    private static func armed(
        _ protected: Protected,
        _ device: DeviceMirror,
        taken: Bool
    ) throws(Failure) -> Int {
        let (memory, context) = (protected.memory, protected.context)
        if taken { try device.take(memory, 0..<memory.pages) }
        let page = memory.firstPage(2) - 1
        try context.expect(
            try device.right(to: page, of: memory) == .write,
            "the device may not write to memory"
        )
        try protected.armAll()
        try memory.protect(memory.chunk(2), PROT_NONE)
        try context.expect(
            try device.right(to: page, of: memory) == .none,
            "the device may access an armed page without a fault"
        )
        return page
    }

    private static func readSync(_ protected: Protected, _ device: DeviceMirror, taken: Bool) throws(Failure) {
        let (memory, context) = (protected.memory, protected.context)
        let page = try armed(protected, device, taken: taken)
        try device.fault(memory, page)
        try protected.expectNoMessage("a fault that cannot wait")
        try protected.expectAccessed([], "after the device's fault")
        try memory.protect(memory.chunk(2), PROT_READ | PROT_WRITE)
        try protected.resolve(1..<2)
        try context.expect(try device.right(to: page, of: memory) != .none, "the device may not read what is resolved")
        try protected.expectAccessed([1], "after resolving")
        try protected.expectTrap(2, .read)
        try protected.resolve(0..<4)
        try memory.check("at the end")
    }

    private static func readAsync(_ protected: Protected, _ device: DeviceMirror, taken: Bool) throws(Failure) {
        let (memory, context) = (protected.memory, protected.context)
        let page = try armed(protected, device, taken: taken)
        try protected.expectAccessed([], "armed")
        try device.fault(memory, page)
        try protected.expectAccessed([1], "after the device's fault")
        try context.expect(try device.right(to: page, of: memory) != .none, "the device may not read what it accessed")
        try memory.protect(memory.chunk(2), PROT_READ | PROT_WRITE)
        memory.load(memory.firstPage(2))
        try protected.expectAccessed([1, 2], "after a CPU's read")
        try memory.check("at the end")
    }

    /// What is resolved has the protection of the mapping again: the device may write, as it could before.
    private static func writable(_ protected: Protected, _ device: DeviceMirror) throws(Failure) {
        let (memory, context) = (protected.memory, protected.context)
        try device.take(memory, 0..<memory.pages)
        for round in ["not armed", "armed, and resolved"] {
            for chunk in 0..<4 {
                try protected.uffd.readWriteProtect(memory.chunk(chunk), false)
                let right = try device.right(to: memory.firstPage(chunk), of: memory)
                try context.expect(right == .write, "\(round): the device may not write to chunk \(chunk)")
            }
            try protected.armAll()
        }
        try protected.resolve(1..<2)
        try protected.uffd.unregister(memory.range)
        for chunk in 0..<4 {
            let right = try device.right(to: memory.firstPage(chunk), of: memory)
            try context.expect(right == .write, "unregistered: the device may not write to chunk \(chunk)")
        }
        try memory.check("at the end")
    }

    /// One chunk, or none, is written after soft-dirty was cleared.
    private static func softDirty(_ name: StaticString, _ what: StaticString, written: Int) -> Scenario {
        Scenario(
            name,
            what,
            rules: "P3",
            on: MemoryKind.anonymous,
            needs: RWPDevice.needs + [.softDirty]
        ) { (context) throws(Failure) in
            let protected = try Protected(context, async: false)
            let memory = protected.memory
            try protected.showTrap()
            try protected.resolve(0..<4)
            try SoftDirty.clear()
            if written >= 0 { memory.store(memory.firstPage(written), offset: 100, 1) }
            try DeviceMirror().take(memory, 0..<memory.pages)
            let expectWritten = { (when: StaticString) throws(Failure) in
                for chunk in 0..<4 where try memory.entry(memory.firstPage(chunk)).isSoftDirty != (chunk == written) {
                    throw Failure("\(when): chunk \(chunk) is\(chunk == written ? " not" : "") soft-dirty")
                }
            }
            try expectWritten("with the device")
            try protected.armAll()
            try expectWritten("armed")
            try protected.resolve(0..<4)
            try expectWritten("resolved")
            try memory.check("at the end")
        }
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
    static func armedExclusive(_ protected: Protected, _ device: DeviceMirror) throws(Failure) {
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
}
