// SPDX-License-Identifier: GPL-2.0-only

import CUserfaultfd
import Userfaultfd

/// A large folio of which a part is armed: whoever handles its entries in batches has to tell them apart (rule L1).
///
/// The first three of each eight pages are armed, so that runs of both states begin and end everywhere.
enum RWPMosaic {
    static let scenarios: [Scenario] = [
        mosaic("rwp-mosaic-arm", "arming and resolving runs of pages", rules: "P1 P2") { (protected) throws(Failure) in
            try protected.armAll()
            for run in stride(from: 0, to: protected.memory.pages, by: 8) {
                try protected.uffd.readWriteProtect(protected.memory.pages((run + 3)..<(run + 8)), false)
            }
            return protected
        },
        mosaic("rwp-mosaic-mprotect", "mprotect(2) to PROT_READ and back", rules: "F3 L1") {
            (protected) throws(Failure) in
            try protected.memory.protect(protected.memory.range, PROT_READ)
            try protected.expectArmedPages("read-only", isArmed)
            try protected.memory.protect(protected.memory.range, PROT_READ | PROT_WRITE)
            return protected
        },
        mosaic("rwp-mosaic-mprotect-none", "mprotect(2) to PROT_NONE and back", rules: "F3 L1") {
            (protected) throws(Failure) in
            try protected.memory.protect(protected.memory.range, PROT_NONE)
            try protected.memory.protect(protected.memory.range, PROT_READ | PROT_WRITE)
            return protected
        },
        mosaic("rwp-mosaic-soft-dirty", "clearing soft-dirty", needs: [.softDirty]) { (protected) throws(Failure) in
            try SoftDirty.clear()
            return protected
        },
        mosaic("rwp-mosaic-cold", "MADV_COLD and MADV_FREE of a part", on: [.anonTHP]) { (protected) throws(Failure) in
            let (cold, free): (Int32, Int32) = (20, 8)  // MADV_COLD, MADV_FREE
            for advice in [cold, free] { try protected.memory.advise(protected.memory.pages(1..<13), advice) }
            return protected
        },
        mosaic("rwp-mosaic-swap", "swap-out of the whole", on: [.anonTHP], needs: [.swap]) {
            (protected) throws(Failure) in
            try protected.memory.swapOut(0..<protected.memory.pages)
            return protected
        },
        mosaic("rwp-mosaic-migrate", "migration to the other node", needs: [.nodes(2), .root]) {
            (protected) throws(Failure) in
            try protected.memory.move(to: 1)
            return protected
        },
        mosaic("rwp-mosaic-split", "a split of the folio", on: [.anonTHP], needs: RWPKeeps.splitFile) {
            (protected) throws(Failure) in
            try RWPKeeps.split(protected.memory)
            return protected
        },
        mosaic("rwp-mosaic-collapse", "MADV_COLLAPSE, which has to refuse", rules: "L7 L1") {
            (protected) throws(Failure) in
            let collapse: Int32 = 25  // MADV_COLLAPSE, 6.1
            let range = protected.memory.range
            _ = madvise(UnsafeMutableRawPointer(bitPattern: range.start), Int(range.length), collapse)
            return protected
        },
        mosaic("rwp-mosaic-fork", "fork(2) without EVENT_FORK, whose child writes", rules: "L3") {
            (protected) throws(Failure) in
            let memory = protected.memory
            let child = try Child { () throws(Failure) in
                try protected.expectArmedPages("in the child") { _ in false }
                try memory.check("in the child")
                if !memory.kind.isShared { memory.fill(seed: 2) }
                return 0
            }
            try child.waitForSuccess()
            return protected
        },
        mosaic("rwp-mosaic-fork-event", "fork(2) with EVENT_FORK", rules: "L3", features: .eventFork) {
            (protected) throws(Failure) in
            let memory = protected.memory
            let (child, inherited) = try protected.fork { () throws(Failure) in
                try protected.expectArmedPages("in the child", isArmed)
                for page in 3..<8 { memory.store(page, offset: 200, 9) }
                memory.load(8)
                return 0
            }
            let fault = try inherited.nextFault()
            if fault.address != memory.address(8) { throw Failure("the child trapped at \(hex(fault.address))") }
            inherited.close()
            try child.waitForSuccess()
            return protected
        },
        mosaic("rwp-mosaic-mremap", "mremap(2) without EVENT_REMAP", rules: "L4", keeps: false) {
            (protected) throws(Failure) in Protected(protected, memory: try protected.memory.remapped())
        },
        mosaic("rwp-mosaic-mremap-event", "mremap(2) with EVENT_REMAP", rules: "L4", features: .eventRemap) {
            (protected) throws(Failure) in
            try protected.remapped { (memory) throws(Failure) in try memory.remapped() }
        },
        mosaic("rwp-mosaic-mremap-part", "mremap(2) of a part and back", rules: "L4", features: .eventRemap) {
            (protected) throws(Failure) in
            let memory = protected.memory
            let (part, length) = (memory.address(5), 101 * memory.pageSize)
            let away = try memory.destination()
            for (from, to) in [(part, away), (away, part)] {
                _ = try protected.remapped { (memory) throws(Failure) in
                    try checked("mremap", cuffd_mremap(from, length, length, MREMAP_MAYMOVE | MREMAP_FIXED, to))
                    return memory
                }
            }
            return protected
        },
        mosaic("rwp-mosaic-unregister", "unregister", rules: "L6", keeps: false) { (protected) throws(Failure) in
            try protected.uffd.unregister(protected.memory.range)
            return protected
        },
    ]

    private static func isArmed(_ page: Int) -> Bool { page % 8 < 3 }

    /// Arms the mosaic; after `act` it is still there (`keeps`) or gone: what is armed traps, and nothing else does.
    private static func mosaic(
        _ name: StaticString,
        _ what: StaticString,
        rules: StaticString = "L1",
        on kinds: [MemoryKind] = [.anonTHP, .shmemTHP],
        needs: [Need] = [],
        features: Features = [],
        keeps: Bool = true,
        _ act: @escaping @Sendable (Protected) throws(Failure) -> Protected
    ) -> Scenario {
        let all = Need.rwp + needs + (features.isEmpty ? [] : [.features(features), .root])
        return Scenario(name, what, rules: rules, on: kinds, needs: all) { (context) throws(Failure) in
            let start = try Protected(context, async: false, chunks: 1, features: features)
            try start.showTrap()
            for run in stride(from: 0, to: start.memory.pages, by: 8) {
                try start.uffd.readWriteProtect(start.memory.pages(run..<(run + 3)))
            }
            try start.expectArmedPages("armed", isArmed)
            let protected = try act(start)
            let memory = protected.memory
            try protected.expectArmedPages("afterwards") { keeps && isArmed($0) }
            for page in 0..<memory.pages where !(keeps && isArmed(page)) { memory.store(page, offset: 100, 1) }
            try protected.expectNoMessage("access of unarmed pages")
            if keeps {
                try protected.expectPageTrap(0)
                try protected.expectPageTrap(2, .write(1), offset: 100)
                try protected.expectPageTrap(memory.pages - 8)
                try protected.resolve(0..<1)
            }
            try memory.check("at the end")
        }
    }
}
