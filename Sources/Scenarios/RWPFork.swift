// SPDX-License-Identifier: GPL-2.0-only

import CUserfaultfd
import Userfaultfd

/// fork(2) of a process with armed pages (rule L3).
enum RWPFork {
    static let scenarios: [Scenario] = [
        Scenario(
            "rwp-fork-plain",
            "without EVENT_FORK the child is accessible and unregistered, the parent stays armed",
            rules: "L3",
            on: MemoryKind.all,
            needs: Need.rwp,
            plain
        ),
        Scenario(
            "rwp-fork-event",
            "with EVENT_FORK the child's copy is armed too, and traps to the child's userfaultfd",
            rules: "L3 F1",
            on: MemoryKind.all,
            needs: Need.rwp + [.features(.eventFork), .root]
        ) { (context) throws(Failure) in try event(context, zero: false) },
        Scenario(
            "rwp-fork-event-zero",
            "the same of the zero page, small and huge",
            rules: "L3 F1",
            on: MemoryKind.anonymous,
            needs: Need.rwp + [.features(.eventFork), .root]
        ) { (context) throws(Failure) in try event(context, zero: true) },
        Scenario(
            "rwp-fork-private",
            "after a fork both write, and neither sees the other's bytes",
            rules: "L3",
            on: [.anon, .anonTHP, .shmemPrivate, .hugetlbPrivate],
            needs: Need.rwp,
            bothWrite
        ),
        Scenario(
            "rwp-fork-async-write",
            "a parent that resolves asynchronously never writes into a page it shares",
            rules: "L3 F2",
            on: [.anon, .anonTHP, .shmemPrivate, .hugetlbPrivate],
            needs: Need.rwp,
            asyncWrite
        ),
        Scenario(
            "rwp-fork-resolved",
            "pages resolved after the fork are still copied on write",
            rules: "L3 P2",
            on: [.anon, .anonTHP, .shmemPrivate, .hugetlbPrivate],
            needs: Need.rwp,
            resolved
        ),
        Scenario(
            "rwp-fork-swapped",
            "swapped-out armed pages: armed in the parent, accessible in the child",
            rules: "L3 L1",
            on: [.anon, .anonTHP, .shmemPrivate],
            needs: Need.rwp + [.swap],
            swapped
        ),
        Scenario(
            "rwp-fork-swapped-event",
            "swapped-out armed pages stay armed in a child with EVENT_FORK",
            rules: "L3 L1",
            on: [.anon, .anonTHP, .shmemPrivate],
            needs: Need.rwp + [.swap, .features(.eventFork), .root],
            swappedEvent
        ),
    ]

    private static func plain(_ context: Context) throws(Failure) {
        let protected = try Protected(context, async: false)
        let memory = protected.memory
        try protected.showTrap()
        try protected.armAll()
        let child = try Child { () throws(Failure) in
            // Would block forever if it trapped: the watchdog tells.
            try memory.check("in the child")
            for chunk in 0..<4 {
                let entry = try memory.entry(memory.firstPage(chunk))
                if entry.isUffd { throw Failure("chunk \(chunk) is armed in a child without EVENT_FORK") }
            }
            if try AddressSpace.isReadWriteProtect(at: memory.range.start) { throw Failure("the child is registered") }
            if !memory.kind.isShared {
                memory.fill(seed: 2)
                try memory.check(seed: 2, "written in the child")
            }
            return 0
        }
        try child.waitForSuccess()
        try protected.expectNoMessage("accesses of the child")
        try protected.expectAccessed([], "the parent after the fork")
        for chunk in 0..<4 { try protected.expectTrap(chunk, .read) }
        try memory.check("in the parent")
    }

    private static func event(_ context: Context, zero: Bool) throws(Failure) {
        let protected = try Protected(context, async: false, features: .eventFork, populated: !zero)
        let memory = protected.memory
        if zero { for page in 0..<memory.pages { memory.load(page) } }
        try protected.armAll()
        try protected.expectTrap(0, .read)
        let (child, inherited) = try protected.fork { () throws(Failure) in
            for chunk in 1..<4 {
                if try !memory.entry(memory.firstPage(chunk)).isUffd {
                    throw Failure("chunk \(chunk) is not armed in the child")
                }
            }
            if try memory.entry(memory.firstPage(0)).isUffd { throw Failure("chunk 0 is armed in the child") }
            memory.load(memory.firstPage(0))
            memory.load(memory.firstPage(2))
            return 0
        }
        let fault = try inherited.nextFault()
        try context.expect(fault.flags == .readWriteProtect, "flags of the child's message")
        try context.expect(memory.chunk(2).contains(fault.address), "address of the child's message")
        context.sawTrap()
        try inherited.readWriteProtect(memory.chunk(2), false)
        try child.waitForSuccess()
        try protected.expectNoMessage("accesses of the child")
        try protected.expectAccessed([0], "the parent")
        try protected.expectTrap(1, .read)
        try protected.expectTrap(2, .write(1), offset: 100)
        try protected.resolve(0..<4)
        if zero {
            try memory.checkZeroes(0..<memory.pages, "in the parent")
        } else {
            try memory.check("in the parent")
        }
    }

    private static func bothWrite(_ context: Context) throws(Failure) {
        let protected = try Protected(context, async: false)
        let memory = protected.memory
        try protected.showTrap()
        try protected.armAll()
        let (parentWrote, childWrote) = (try Gate(), try Gate())
        let child = try Child { () throws(Failure) in
            try memory.check("in the child, first")
            try parentWrote.wait()
            try memory.check("in the child, after the parent wrote")
            memory.fill(seed: 3)
            try childWrote.open()
            try memory.check(seed: 3, "in the child, after it wrote")
            return 0
        }
        let monitor = try protected.answering()
        memory.fill(seed: 2)
        try parentWrote.open()
        try childWrote.wait()
        try memory.check(seed: 2, "in the parent, after the child wrote")
        try child.waitForSuccess()
        try monitor.stop()
    }

    private static func asyncWrite(_ context: Context) throws(Failure) {
        let protected = try Protected(context, async: true)
        let memory = protected.memory
        try protected.showTrap()
        try protected.armAll()
        let (parentWrote, childChecked) = (try Gate(), try Gate())
        let child = try Child { () throws(Failure) in
            try parentWrote.wait()
            try memory.check("in the child, after the parent wrote")
            memory.fill(seed: 3)
            try childChecked.open()
            return 0
        }
        // A read first: the page is resolved while shared, and must not have become writable.
        memory.load(memory.firstPage(1))
        memory.fill(seed: 2)
        try parentWrote.open()
        try childChecked.wait()
        try memory.check(seed: 2, "in the parent, after the child wrote")
        try child.waitForSuccess()
    }

    private static func resolved(_ context: Context) throws(Failure) {
        let protected = try Protected(context, async: false)
        let memory = protected.memory
        try protected.showTrap()
        try protected.armAll()
        let parentWrote = try Gate()
        let child = try Child { () throws(Failure) in
            try parentWrote.wait()
            try memory.check("in the child, after the parent wrote")
            return 0
        }
        try protected.resolve(0..<4)
        memory.fill(seed: 2)
        try parentWrote.open()
        try child.waitForSuccess()
        try memory.check(seed: 2, "in the parent")
        try protected.expectNoMessage("access of resolved chunks")
    }

    private static func swapped(_ context: Context) throws(Failure) {
        let protected = try Protected(context, async: false)
        let memory = protected.memory
        try protected.showTrap()
        try protected.armAll()
        try memory.swapOut(0..<memory.pages)
        let child = try Child { () throws(Failure) in
            for chunk in 0..<4 {
                if try memory.entry(memory.firstPage(chunk)).isUffd {
                    throw Failure("chunk \(chunk) is armed in a child without EVENT_FORK")
                }
            }
            try memory.check("in the child")
            memory.fill(seed: 2)
            try memory.check(seed: 2, "written in the child")
            return 0
        }
        try child.waitForSuccess()
        try protected.expectNoMessage("accesses of the child")
        try protected.expectAccessed([], "the parent after the fork")
        let monitor = try protected.answering()
        try memory.check("in the parent")
        try monitor.stop()
        try context.expect(monitor.messages >= 4, "\(monitor.messages) traps for 4 armed chunks")
    }

    private static func swappedEvent(_ context: Context) throws(Failure) {
        let protected = try Protected(context, async: false, features: .eventFork)
        let memory = protected.memory
        try protected.showTrap()
        try protected.armAll()
        try memory.swapOut(0..<memory.pages)
        let (child, inherited) = try protected.fork { () throws(Failure) in
            for chunk in 0..<4 where try !memory.entry(memory.firstPage(chunk)).isUffd {
                throw Failure("chunk \(chunk) is not armed in the child")
            }
            memory.load(memory.firstPage(1))
            return 0
        }
        let fault = try inherited.nextFault()
        try context.expect(memory.chunk(1).contains(fault.address), "address of the child's message")
        context.sawTrap()
        try inherited.readWriteProtect(memory.chunk(1), false)
        try child.waitForSuccess()
        try protected.expectAccessed([], "the parent")
    }
}
