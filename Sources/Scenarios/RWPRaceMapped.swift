// SPDX-License-Identifier: GPL-2.0-only

import CUserfaultfd
import Userfaultfd

/// Memory that is all mapped, and changes its protection under accesses. Whoever changes an entry clears it for a moment,
/// and a page fault that finds it so must not take the page for one that is missing, or not mapped (rule F2).
enum RWPRaceMapped {
    static let scenarios: [Scenario] = [
        Scenario(
            "rwp-race-minor",
            "with MINOR, accesses of pages that are mapped and get armed meanwhile send no message",
            rules: "F2 G1 P1",
            on: MemoryKind.shared,
            needs: Need.rwp + [.features([.minorShmem, .minorHugetlbfs])]
        ) { (context) throws(Failure) in
            try accessWhileArming(context, [.readWriteProtect, .minor], try filled(context))
        },
        Scenario(
            "rwp-race-missing",
            "with MISSING, accesses of a private mapping's own pages that get armed meanwhile send no message",
            rules: "F2 G1 P1",
            on: [.shmemPrivate],
            needs: Need.rwp + [.features([.missingShmem])]
        ) { (context) throws(Failure) in
            let memory = try filled(context)
            // The file has none of the pages any more. The private copies stay.
            try memory.punchHole(memory.range)
            try memory.check("after its file was emptied")
            try accessWhileArming(context, [.readWriteProtect, .missing], memory)
        },
    ]

    /// As much as makes a page likely not to be in a TLB: of those that are, accesses notice nothing.
    private static func filled(_ context: Context) throws(Failure) -> Memory {
        let memory = try Memory(context.kind, chunks: context.kind.isTHP || context.kind.isHugetlb ? 4 : 1024)
        try memory.populate()
        return memory
    }

    private static func accessWhileArming(
        _ context: Context,
        _ mode: RegisterMode,
        _ memory: Memory
    ) throws(Failure) {
        let protected = try Protected(context, async: true, memory: memory, mode: mode)
        try protected.showTrap()
        let stop = Words(1)
        var threads: [Thread] = []
        for index in 0..<3 {
            threads.append(
                try Thread { () throws(Failure) in
                    var choices = Choices(seed: 1, stream: index)
                    while stop[0] == 0 { memory.load(choices.below(memory.pages)) }
                }
            )
        }
        for round in 0..<500 {
            try protected.uffd.readWriteProtect(memory.range)
            try protected.expectNoMessage("in round \(round) of arming")
            try protected.uffd.readWriteProtect(memory.range, false)
            try protected.expectNoMessage("in round \(round) of resolving")
        }
        stop[0] = 1
        for thread in threads { try thread.join() }
        try memory.check("at the end")
    }
}
