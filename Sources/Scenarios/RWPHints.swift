// SPDX-License-Identifier: GPL-2.0-only

import CUserfaultfd
import Userfaultfd

/// Whoever is not armed any more is accessible at once: a page that only lost its bit, and is protnone still, would take
/// one more fault, as if it were hinted for NUMA balancing, which is off here.
enum RWPHints {
    static let scenarios: [Scenario] = [
        faultless("rwp-faults-resolved", "a page that was resolved takes no fault", rules: "P2") {
            (protected) throws(Failure) in
            try protected.resolve(0..<protected.memory.chunkCount)
            return protected.memory
        },
        faultless("rwp-faults-unregistered", "a page that was unregistered takes no fault", rules: "L6") {
            (protected) throws(Failure) in
            try protected.uffd.unregister(protected.memory.range)
            return protected.memory
        },
        faultless("rwp-faults-moved", "a page that mremap(2) moved without an event takes no fault", rules: "L4") {
            (protected) throws(Failure) in try protected.memory.remapped()
        },
        Scenario(
            "rwp-faults-async",
            "an asynchronous trap is one fault, and the next access none",
            rules: "F2",
            on: kinds,
            needs: needs
        ) { (context) throws(Failure) in
            let protected = try armed(context, async: true)
            let memory = protected.memory
            for chunk in 0..<4 {
                try context.expectEqual(faults(memory, chunk..<(chunk + 1)), 1, "faults of an armed chunk")
                try context.expectEqual(faults(memory, chunk..<(chunk + 1)), 0, "faults of a chunk that was accessed")
            }
            context.sawTrap()
        },
        Scenario(
            "rwp-faults-forked",
            "in a child that is not registered an armed page of the parent's takes no fault",
            rules: "L3",
            on: [.anon, .anonTHP],
            needs: needs
        ) { (context) throws(Failure) in
            let protected = try armed(context, async: true)
            let memory = protected.memory
            let plain = try Memory(.anon, pages: 4)
            try plain.populate()
            let child = try Child { () throws(Failure) in
                // The first time the child's own pages fault: it writes to its stack.
                _ = faults(plain, 0..<4)
                try context.expectEqual(faults(memory, 0..<4), 0, "faults of a child")
                return 0
            }
            try child.waitForSuccess()
        },
    ]

    private static let kinds: [MemoryKind] = MemoryKind.withoutHugetlb

    private static let needs: [Need] =
        Need.rwp + [.file("/proc/sys/kernel/numa_balancing", "CONFIG_NUMA_BALANCING"), .root, .ownMachine]

    private static func faultless(
        _ name: StaticString,
        _ what: StaticString,
        rules: StaticString,
        _ act: @escaping @Sendable (Protected) throws(Failure) -> Memory
    ) -> Scenario {
        Scenario(name, what, rules: rules, on: kinds, needs: needs) { (context) throws(Failure) in
            let memory = try act(try armed(context, async: false))
            try context.expectEqual(faults(memory, 0..<4), 0, "faults of four chunks")
            try memory.check("at the end")
        }
    }

    /// Armed memory, without NUMA balancing.
    private static func armed(_ context: Context, async: Bool) throws(Failure) -> Protected {
        try GlobalSettings.set([("/proc/sys/kernel/numa_balancing", "0")])
        let protected = try Protected(context, async: async)
        try protected.showTrap()
        _ = faults(protected.memory, 0..<4)
        try protected.armAll()
        return protected
    }

    /// How many page faults it takes to read a byte of each of these chunks (getrusage(2)).
    private static func faults(_ memory: Memory, _ chunks: Range<Int>) -> Int {
        let thread = __rusage_who_t(rawValue: 1)  // RUSAGE_THREAD
        var (before, after) = (rusage(), rusage())
        _ = getrusage(thread, &before)
        for chunk in chunks { memory.load(memory.firstPage(chunk)) }
        _ = getrusage(thread, &after)
        return after.ru_minflt - before.ru_minflt
    }
}
