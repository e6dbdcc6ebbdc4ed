// SPDX-License-Identifier: GPL-2.0-only

import CUserfaultfd
import Userfaultfd

/// What an armed page goes through while its mapping is PROT_NONE, when armed and unarmed entries are protnone alike: it
/// is the bit alone that tells them apart (rules F3, L1, L3, L4).
enum RWPNone {
    static let scenarios: [Scenario] = [
        none("rwp-none-migrate", "move_pages(2) between nodes, while PROT_NONE", needs: [.nodes(2), .root]) {
            (protected) throws(Failure) in
            for node in [1, 0] {
                try protected.memory.move(to: node)
                try protected.expectAccessed([0], "on node \(node)")
            }
        },
        none(
            "rwp-none-swapoff",
            "swap-out and swapoff(2), while PROT_NONE",
            on: RWPSwap.kinds,
            needs: [.swap, .root]
        ) { (protected) throws(Failure) in
            let memory = protected.memory
            try memory.swapOut(0..<memory.pages)
            try protected.expectAccessed([0], "swapped out")
            let swaps = try SwapAreas.all()
            try SwapAreas.off(swaps)
            try SwapAreas.on(swaps)
        },
        none(
            "rwp-none-ksm",
            "a merge with the same pages of another mapping and MADV_UNMERGEABLE, while PROT_NONE",
            rules: "B1 F3 L1",
            on: [.anon, .shmemPrivate],
            needs: KSM.needs
        ) { (protected) throws(Failure) in
            let memory = protected.memory
            let twin = try Memory(memory.kind, chunks: memory.chunkCount)
            try twin.populate()
            for part in [memory, twin] { try part.advise(part.range, MADV_MERGEABLE) }
            try KSM.start()
            while try memory.frames() != twin.frames() { sched_yield() }
            try KSM.stop()
            try protected.expectAccessed([0], "merged")
            try memory.advise(memory.range, MADV_UNMERGEABLE)
            for (one, other) in zip(try memory.frames(), try twin.frames()) {
                try protected.context.expect(one != other, "MADV_UNMERGEABLE left a page merged")
            }
        },
        none(
            "rwp-none-split",
            "splits of huge mappings and then of the folios, while PROT_NONE",
            on: [.anonTHP],
            needs: RWPKeeps.splitFile
        ) { (protected) throws(Failure) in
            let memory = protected.memory
            for chunk in 0..<3 {
                let page = memory.page(memory.firstPage(chunk) + 7)
                for protection in [PROT_READ, PROT_NONE] { try memory.protect(page, protection) }
            }
            try protected.expectArmedPages("three split") { $0 >= memory.firstPage(1) }
            try RWPKeeps.split(memory)
            try protected.expectArmedPages("all split") { $0 >= memory.firstPage(1) }
        },
        none("rwp-none-fork", "fork(2) without EVENT_FORK, while PROT_NONE", rules: "F3 L3") {
            (protected) throws(Failure) in
            let memory = protected.memory
            let child = try Child { () throws(Failure) in
                try memory.expectUffdBit("in the child") { _ in false }
                try memory.protect(memory.range, PROT_READ | PROT_WRITE)
                try memory.check("in the child")
                if !memory.kind.isShared { memory.fill(seed: 2) }
                return 0
            }
            try child.waitForSuccess()
        },
        none(
            "rwp-none-fork-event",
            "fork(2) with EVENT_FORK, while PROT_NONE: the child's copy is armed, too",
            rules: "F3 L3",
            needs: [.root],
            features: .eventFork
        ) { (protected) throws(Failure) in
            let memory = protected.memory
            let (child, theirs) = try protected.fork { () throws(Failure) in
                try protected.expectAccessed([0], "in the child")
                try memory.protect(memory.range, PROT_READ | PROT_WRITE)
                try protected.expectAccessed([0], "in the child, that made it accessible")
                for chunk in [0, 2] { memory.load(memory.firstPage(chunk)) }
                return 0
            }
            try protected.context.expectFault(theirs, at: memory.chunk(2).start, .readWriteProtect)
            try theirs.readWriteProtect(memory.chunk(2), false)
            try child.waitForSuccess()
        },
        none(
            "rwp-none-mremap-event",
            "mremap(2) with EVENT_REMAP and back again, while PROT_NONE",
            rules: "F3 L4",
            features: .eventRemap
        ) { (protected) throws(Failure) in
            let start = protected.memory.range.start
            let moved = try protected.remapped { (memory) throws(Failure) in try memory.remapped() }
            try moved.expectAccessed([0], "moved")
            _ = try moved.remapped { (memory) throws(Failure) in try memory.remapped(to: start) }
        },
    ]

    /// As `RWPKeeps.keeps`, with `act` between mprotect(2) to PROT_NONE and back.
    private static func none(
        _ name: StaticString,
        _ what: StaticString,
        rules: StaticString = "F3 L1",
        on kinds: [MemoryKind] = MemoryKind.all,
        needs: [Need] = [],
        features: Features = [],
        _ act: @escaping @Sendable (Protected) throws(Failure) -> Void
    ) -> Scenario {
        RWPKeeps.keeps(name, what, rules: rules, on: kinds, needs: needs, features: features) {
            (protected) throws(Failure) in
            let memory = protected.memory
            try memory.protect(memory.range, PROT_NONE)
            try act(protected)
            try protected.expectAccessed([0], "while PROT_NONE")
            try memory.protect(memory.range, PROT_READ | PROT_WRITE)
        }
    }
}
