// SPDX-License-Identifier: GPL-2.0-only

import CUserfaultfd
import Userfaultfd

/// Memory that another CPU is accessing all the time when it is armed: what that CPU has in its TLB must be gone before
/// UFFDIO_RWPROTECT returns (rules P1, F1, F2).
enum RWPHot {
    static let scenarios: [Scenario] = [
        Scenario(
            "rwp-hot-sync",
            "once arming has returned, a CPU that reads or writes the page all the time gets no further",
            rules: "P1 F1",
            on: MemoryKind.all,
            needs: Need.rwp + [.cpus(2)],
            sync
        ),
        Scenario(
            "rwp-hot-async",
            "once arming has returned, the next access of a CPU that reads or writes all the time is reported",
            rules: "P1 F2 S2",
            on: MemoryKind.all,
            needs: Need.rwp + [.cpus(2)],
            async
        ),
    ]

    private static let rounds = 20

    /// Runs `body` while another thread, on a CPU of its own, goes on accessing a chunk; its count of accesses grows.
    private static func accessing(
        _ memory: Memory,
        write: Bool,
        _ body: (_ count: Words) throws(Failure) -> Void
    ) throws(Failure) {
        let home = try Affinity()
        let (count, stop) = (Words(1), Words(1))
        let page = memory.firstPage(1)
        let thread = try Thread { () throws(Failure) in
            try home.only(1).apply()
            while stop[0] == 0 {
                if write { memory.store(page, offset: 100, 7) } else { memory.load(page, offset: 100) }
                count[0] &+= 1
            }
        }
        try home.only(0).apply()
        try body(count)
        stop[0] = 1
        try thread.join()
        try home.apply()
    }

    /// Blocks until there have been so many more accesses.
    private static func wait(_ count: Words, more: UInt64) {
        let wanted = count[0] + more
        while count[0] < wanted { sched_yield() }
    }

    private static func sync(_ context: Context) throws(Failure) {
        let protected = try Protected(context, async: false)
        for write in [false, true] {
            try accessing(protected.memory, write: write) { (count) throws(Failure) in
                for _ in 0..<rounds {
                    wait(count, more: 100)
                    try protected.uffd.readWriteProtect(protected.memory.range)
                    let seen = count[0]
                    try protected.expectMessage(1, write ? .write(7) : .read)
                    // The one that was through and not counted yet.
                    let passed = count[0] - seen
                    try context.expect(passed <= 1, "\(passed) accesses of an armed page went through")
                    try protected.resolve(0..<4)
                }
            }
        }
        try protected.expectNoMessage("at the end")
        try protected.memory.check("at the end")
    }

    private static func async(_ context: Context) throws(Failure) {
        let protected = try Protected(context, async: true)
        for write in [false, true] {
            try accessing(protected.memory, write: write) { (count) throws(Failure) in
                for _ in 0..<rounds {
                    try protected.uffd.readWriteProtect(protected.memory.range)
                    wait(count, more: 2)
                    try protected.expectAccessed([1], "after an access")
                    try context.expect(try protected.memory.entry(0).isUffd, "what nobody accesses is not armed")
                }
            }
        }
        context.sawTrap()
        try protected.memory.check("at the end")
    }
}
