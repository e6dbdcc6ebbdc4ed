// SPDX-License-Identifier: GPL-2.0-only

import CUserfaultfd
import Userfaultfd

/// Unregister and close: every page is left accessible, and every waiter goes on (rules L6, G5).
enum RWPLifetime {
    static let scenarios: [Scenario] = [
        Scenario(
            "rwp-unregister-armed",
            "unregister leaves armed pages accessible, with their data, and one VMA",
            rules: "L6 G5",
            on: MemoryKind.all,
            needs: Need.rwp,
            unregister
        ),
        Scenario(
            "rwp-unregister-waiters",
            "unregister lets the threads go on, in user and kernel mode, that are blocked in its range, and no others",
            rules: "L6",
            on: MemoryKind.all,
            needs: Need.rwp,
            unregisterWaiters
        ),
        Scenario(
            "rwp-unregister-partial",
            "unregistering the middle leaves both sides armed",
            rules: "L6 L1",
            on: MemoryKind.all,
            needs: Need.rwp,
            unregisterPartial
        ),
        Scenario(
            "rwp-unregister-refused",
            "unregistering that fails, since the process has as many VMAs as it may, leaves all pages armed",
            rules: "L6 L2",
            on: MemoryKind.all,
            needs: Need.rwp + [.ownMachine, .root],
            unregisterRefused
        ),
        Scenario(
            "rwp-close-armed",
            "close leaves armed pages accessible, with their data",
            rules: "L6",
            on: MemoryKind.all,
            needs: Need.rwp,
            close
        ),
        Scenario(
            "rwp-close-waiters",
            "close lets blocked threads go on, in user and kernel mode",
            rules: "L6",
            on: MemoryKind.all,
            needs: Need.rwp,
            closeWaiters
        ),
        Scenario(
            "rwp-close-killed",
            "a monitor process that is killed leaves the workload going",
            rules: "L6",
            on: MemoryKind.all,
            needs: Need.rwp,
            killedMonitor
        ),
        Scenario(
            "rwp-close-exec",
            "exec of a process with armed pages and a waiter just works",
            rules: "L6",
            on: MemoryKind.all,
            needs: Need.rwp,
            exec
        ),
    ]

    private static func unregister(_ context: Context) throws(Failure) {
        let protected = try Protected(context, async: false)
        let memory = protected.memory
        try protected.showTrap()
        try context.expect(try hasFlag(memory), "smaps does not show 'ur' for an RWP VMA")
        try protected.arm(1..<4)
        try protected.uffd.unregister(memory.range)
        try context.expect(try !hasFlag(memory), "smaps shows 'ur' after unregister")
        try memory.check("after unregister")
        memory.fill(seed: 2)
        try memory.check(seed: 2, "written after unregister")
        try protected.expectNoMessage("access after unregister")
        for chunk in 0..<4 {
            let entry = try memory.entry(memory.firstPage(chunk))
            try context.expect(!entry.isUffd, "chunk \(chunk) keeps the uffd bit after unregister")
        }
        try context.expectEqual(try AddressSpace.mappings(in: memory.range), 1, "VMAs after unregister")
    }

    /// Of six waiters those in the middle go on when that is unregistered, and nobody else.
    private static func unregisterWaiters(_ context: Context) throws(Failure) {
        let protected = try Protected(context, async: false, chunks: 6)
        let memory = protected.memory
        try protected.armAll()
        let waiters = try RWPLeaving.waiters(protected, [0, 2, 3, 5])
        try protected.uffd.unregister(memory.chunks(2..<4))
        for waiter in waiters[1...2] { try waiter.join() }
        try context.expectAsleep(protected.uffd, 2)
        try protected.resolve(0..<1)
        try waiters[0].join()
        let call = try RWPLeaving.blockedCall(protected, 4)
        try protected.uffd.unregister(memory.range)
        try waiters[3].join()
        try context.expectEqual(call.finish(), 1, "write(2) from a page that was unregistered")
        try RWPLeaving.expectWritten(protected, [0, 2, 3, 5])
    }

    private static func unregisterPartial(_ context: Context) throws(Failure) {
        let protected = try Protected(context, async: false, chunks: 6)
        let memory = protected.memory
        try protected.armAll()
        try protected.uffd.unregister(memory.chunks(2..<4))
        for chunk in 2..<4 { memory.store(memory.firstPage(chunk), offset: 100, 1) }
        try protected.expectNoMessage("access of the unregistered middle")
        for chunk in [0, 1, 4, 5] { try protected.expectTrap(chunk, .read) }
        try context.expectErrno(.noEntry, "arming over the unregistered middle (P4)") { () throws(Failure) in
            try protected.uffd.readWriteProtect(memory.range)
        }
        try memory.check("at the end")
    }

    private static func unregisterRefused(_ context: Context) throws(Failure) {
        let protected = try Protected(context, async: false)
        let memory = protected.memory
        try protected.showTrap()
        try protected.armAll()
        // The middle would be a VMA of its own, and so would what is behind it.
        let most = try AddressSpace.mappings(in: AddressRange(start: 0, length: UInt(Int.max)))
        let before = try FileAccess.line(GlobalSettings.mostMappings.text)
        try FileAccess.write(GlobalSettings.mostMappings.text, most.description)
        let unregister = { () throws(Failure) in try protected.uffd.unregister(memory.chunks(1..<3)) }
        let refused = Result(catching: unregister)
        try FileAccess.write(GlobalSettings.mostMappings.text, before)
        try context.expectErrno(.noMemory, "unregistering the middle") { () throws(Failure) in try refused.get() }
        try protected.expectAccessed([], "after unregistering failed")
        try context.expect(try hasFlag(memory), "smaps does not show 'ur' any more")
        for chunk in 0..<4 { try protected.expectTrap(chunk, .write(4), offset: 100) }
        try memory.check("at the end")
    }

    private static func close(_ context: Context) throws(Failure) {
        let protected = try Protected(context, async: false)
        let memory = protected.memory
        try protected.showTrap()
        try protected.armAll()
        protected.uffd.close()
        try memory.expectUffdBit(on: 0..<0, context, "after close")
        try memory.check("after close")
        memory.fill(seed: 2)
        try memory.check(seed: 2, "written after close")
        try context.expect(try !hasFlag(memory), "smaps shows 'ur' after close")
    }

    private static func closeWaiters(_ context: Context) throws(Failure) {
        let protected = try Protected(context, async: false)
        try protected.armAll()
        let waiters = try RWPLeaving.waiters(protected, [1, 2])
        let call = try RWPLeaving.blockedCall(protected, 3)
        protected.uffd.close()
        for waiter in waiters { try waiter.join() }
        try context.expectEqual(call.finish(), 1, "write(2) from a page whose userfaultfd was closed")
        try RWPLeaving.expectWritten(protected, [1, 2])
    }

    /// The userfaultfd lives in a monitor process alone, which took it by fork; its death closes it.
    private static func killedMonitor(_ context: Context) throws(Failure) {
        let protected = try Protected(context, async: false)
        try protected.showTrap()
        try protected.armAll()
        let seen = try Gate()
        let uffd = protected.uffd
        let monitor = try Child { () throws(Failure) in
            _ = try uffd.nextFault()
            try seen.open()
            while true { pause() }
        }
        uffd.close()
        let thread = try protected.touch(1)
        try seen.wait()
        try monitor.signal(SIGKILL)
        try context.expect(try monitor.wait() == .killed(signal: SIGKILL), "the monitor's end")
        try thread.join()
        try protected.memory.expectUffdBit(on: 0..<0, context, "after the monitor was killed")
        try protected.memory.check("after the monitor was killed")
    }

    private static func exec(_ context: Context) throws(Failure) {
        try Protected(context, async: false).showTrap()
        let child = try Child { () throws(Failure) in
            let protected = try Protected(context, async: false)
            try protected.armAll()
            _ = try protected.touch(1)
            _ = try protected.uffd.nextFault()
            // A thread that waits must not keep exec(2) from ending it. The program that runs next is this one.
            try checked("exec", cuffd_exec("/proc/self/exe", "uffd-selftest", "--help", nil, nil))
            return 1
        }
        try child.waitForSuccess()
    }

    static func hasFlag(_ memory: Memory) throws(Failure) -> Bool {
        try AddressSpace.isReadWriteProtect(at: memory.range.start)
    }
}
