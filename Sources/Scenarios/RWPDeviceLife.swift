// SPDX-License-Identifier: GPL-2.0-only

import CUserfaultfd
import Userfaultfd

/// What becomes of armed pages that a device has by fork(2), mremap(2) and reclaim (rules L1, L3, L4).
enum RWPDeviceLife {
    static let scenarios: [Scenario] = [
        scenario(
            "rwp-device-exclusive-fork",
            "fork(2) takes armed pages from the device: the parent's stay armed, the child's are not",
            rules: "L1 L3",
            exclusive: true,
            fork
        ),
        scenario(
            "rwp-device-fork",
            "armed pages that a device has: armed in the parent, accessible in the child",
            rules: "L1 L3",
            fork
        ),
        scenario(
            "rwp-device-exclusive-fork-event",
            "armed pages that a device has for itself are armed in a child with EVENT_FORK, too",
            rules: "L1 L3",
            features: .eventFork,
            exclusive: true,
            forkEvent
        ),
        scenario(
            "rwp-device-fork-event",
            "armed pages that a device has are armed in a child with EVENT_FORK, too",
            rules: "L1 L3",
            features: .eventFork,
            forkEvent
        ),
        scenario(
            "rwp-device-mremap",
            "armed pages that a device has are accessible where mremap(2) puts them without EVENT_REMAP",
            rules: "L1 L4"
        ) { (protected) throws(Failure) in
            let memory = try protected.memory.remapped()
            try memory.expectUffdBit(on: 0..<0, protected.context, "at the new address")
            try memory.check("at the new address")
            memory.fill(seed: 2)
            try memory.check(seed: 2, "written at the new address")
            try protected.expectNoMessage("access of the destination")
        },
        scenario(
            "rwp-device-mremap-event",
            "armed pages that a device has are armed where mremap(2) puts them with EVENT_REMAP",
            rules: "L1 L4 F1",
            features: .eventRemap
        ) { (protected) throws(Failure) in
            try protected.resolve(0..<1)
            let moved = try protected.remapped { (memory) throws(Failure) in try memory.remapped() }
            try moved.expectAccessed([0], "at the new address")
            moved.loadAll(0)
            try moved.expectNoMessage("access of an unarmed page")
            for chunk in 1..<4 { try moved.expectTrap(chunk, chunk == 1 ? .read : .write(8), offset: 100) }
            try moved.memory.check("at the new address")
        },
        Scenario(
            "rwp-device-exclusive-swap",
            "pages that a device has for itself are swapped out as they are, armed or not",
            rules: "L1 S2",
            on: [.anon],
            needs: RWPDevice.needs + MemoryLimit.needs,
            swap
        ),
    ]

    /// Every page is armed, and the device has it, or, if `exclusive`, has it for itself.
    private static func scenario(
        _ name: StaticString,
        _ summary: StaticString,
        rules: StaticString,
        features: Features = [],
        exclusive: Bool = false,
        _ body: @escaping @Sendable (Protected) throws(Failure) -> Void
    ) -> Scenario {
        let kinds = exclusive ? [.anon] : MemoryKind.anonymous
        return Scenario(name, summary, rules: rules, on: kinds, needs: RWPDevice.needs + [.features(features)]) {
            (context) throws(Failure) in
            let protected = try Protected(context, async: false, features: features)
            let device = try DeviceMirror()
            try protected.showTrap()
            if exclusive {
                try RWPDeviceAccess.armedExclusive(protected, device)
            } else {
                try protected.armAll()
                try device.take(protected.memory, 0..<protected.memory.pages)
            }
            try body(protected)
        }
    }

    /// Forks without EVENT_FORK; child and parent write, and neither sees the other's bytes.
    private static func fork(_ protected: Protected) throws(Failure) {
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

    private static func forkEvent(_ protected: Protected) throws(Failure) {
        let (context, memory) = (protected.context, protected.memory)
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

    private static func swap(_ context: Context) throws(Failure) {
        let limit = try MemoryLimit()
        let protected = try Protected(context, async: false)
        let memory = protected.memory
        try protected.showTrap()
        try RWPDeviceAccess.armedExclusive(protected, DeviceMirror())
        try protected.resolve(0..<1)
        for page in 0..<memory.pages {
            // The types of swap areas come before those of other entries that are not present (bits 0 to 4, pagemap.rst;
            // MAX_SWAPFILES).
            while try memory.entry(page).bits & 31 >= 16 { try limit.reclaim(1 << 20) }
        }
        try protected.expectAccessed([0], "swapped out")
        memory.load(0)
        try protected.expectNoMessage("access of an unarmed page")
        for page in 1..<4 { try protected.expectTrap(page, page == 1 ? .read : .write(8), offset: 100) }
        try memory.check("at the end")
        try limit.end()
    }
}
