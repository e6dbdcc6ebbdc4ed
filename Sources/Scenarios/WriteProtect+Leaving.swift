// SPDX-License-Identifier: GPL-2.0-only

import CUserfaultfd
import Userfaultfd

/// The end of protection: unregister, close, exec, and the death of the monitor.
extension WriteProtect {
    static let leaving: [Scenario] = [
        tracked(
            "wp-unregister",
            "Unregistering leaves every page writable, with its data and without the bit."
        ) { (_, tracked) throws(Failure) in
            try tracked.showTrap(1)
            try tracked.uffd.unregister(tracked.memory.range)
            try tracked.expectFree()
        },
        tracked(
            "wp-unregister-part",
            "Unregistering a part frees that part; the rest still traps."
        ) { (_, tracked) throws(Failure) in
            try tracked.uffd.unregister(tracked.memory.page(1))
            try tracked.expectProtected(without: 1, "after unregistering one page")
            try tracked.expectNoTrap(1, offset: 16)
            try tracked.memory.check("after unregistering one page")
            try tracked.expectTrap(0, offset: 16)
            try tracked.expectTrap(2, offset: 16)
        },
        tracked(
            "wp-unregister-waiter",
            "A writer that waits when its range is unregistered goes on at the next UFFDIO_WAKE."
        ) { (context, tracked) throws(Failure) in
            let thread = try tracked.writer(1, offset: 16, 5)
            try tracked.expectMessage(1)
            try tracked.uffd.unregister(tracked.memory.range)
            try tracked.uffd.wake(tracked.memory.range)
            try thread.join()
            try context.expectEqual(tracked.memory.load(1, offset: 16), 5, "byte written")
            try tracked.expectFree()
        },
        tracked(
            "wp-close",
            "Closing the userfaultfd leaves every page writable, and writers that wait go on."
        ) { (context, tracked) throws(Failure) in
            let first = try tracked.writer(1, offset: 16, 5)
            try tracked.expectMessage(1)
            let second = try tracked.writer(2, offset: 16, 6)
            try tracked.expectMessage(2)
            try waitAsleep(first)
            try waitAsleep(second)
            tracked.uffd.close()
            try first.join()
            try second.join()
            try context.expectEqual(tracked.memory.load(1, offset: 16), 5, "byte of the first writer")
            try context.expectEqual(tracked.memory.load(2, offset: 16), 6, "byte of the second writer")
            try tracked.expectFree()
        },
        tracked(
            "wp-monitor-killed",
            "When the process that holds the last descriptor is killed, writers go on and pages are writable.",
            protected: false
        ) { (context, tracked) throws(Failure) in
            let (seen, never) = (try Pipe(), try Pipe())
            try tracked.protect()
            let monitor = try Child { () throws(Failure) in
                try tracked.expectMessage(1)
                try seen.send(from: tracked.memory.address(0), count: 1)
                _ = try never.readByte()
                return 1
            }
            // From here on the child's descriptor is the only one.
            tracked.uffd.close()
            let thread = try tracked.writer(1, offset: 16, 5)
            _ = try seen.readByte()
            context.sawTrap()
            try waitAsleep(thread)
            try context.expect(!thread.isFinished, "the write went through while the monitor lives")
            try monitor.signal(SIGKILL)
            try context.expect(try monitor.wait() == .killed(signal: SIGKILL), "the monitor did not die of SIGKILL")
            try thread.join()
            try context.expectEqual(tracked.memory.load(1, offset: 16), 5, "byte written")
            try tracked.expectFree()
        },
        tracked(
            "wp-exec",
            "exec(2) of a process with protected, forked and waiting pages works, and a shared file keeps its data."
        ) { (_, tracked) throws(Failure) in
            try tracked.showTrap(1)
            let child = try Child { () throws(Failure) in
                let uffd = try Userfaultfd(features: Tracked.features)
                try uffd.register(tracked.memory.range, .writeProtect)
                try uffd.writeProtect(tracked.memory.range)
                let thread = try Thread { () throws(Failure) in tracked.memory.store(2, 1) }
                _ = try uffd.nextFault()
                try waitAsleep(thread)
                let null = try checked("open", cuffd_open("/dev/null", O_RDWR, 0))
                dup2(null, 1)
                throw Failure(call: "execv", code: execSelf("--list"))
            }
            try child.waitForSuccess()
            try tracked.expectProtected(0..<tracked.memory.pages, "in the parent")
            try tracked.memory.check("in the parent")
            try tracked.expectTrap(2)
        },
    ]

    /// Becomes this very program with one argument; returns the error number if it cannot.
    private static func execSelf(_ argument: String) -> Int32 {
        "uffd-selftest".withCString { name in
            argument.withCString { argument in
                var words = [UnsafeMutablePointer(mutating: name), UnsafeMutablePointer(mutating: argument), nil]
                _ = execv("/proc/self/exe", &words)
            }
        }
        return cuffd_errno()
    }
}

extension Tracked {
    /// Fails unless nothing is protected and every page has its data and can be written.
    func expectFree() throws(Failure) {
        try expectProtected(0..<0, "at the end of the protection")
        try memory.check("at the end of the protection")
        memory.fill(seed: 2)
        try memory.check(seed: 2, "after writing every page")
    }
}
