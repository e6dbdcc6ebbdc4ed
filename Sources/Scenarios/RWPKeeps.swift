// SPDX-License-Identifier: GPL-2.0-only

import CUserfaultfd
import Userfaultfd

/// What an armed page goes through without being accessed: the arm, the data and the neighbours stay (rule L1).
enum RWPKeeps {
    static let scenarios: [Scenario] = [
        keeps("rwp-keep-free", "MADV_FREE", on: MemoryKind.anonymous) { (protected) throws(Failure) in
            let free: Int32 = 8  // MADV_FREE, 4.5
            try protected.memory.advise(protected.memory.range, free)
        },
        // mlock2(2) populates hugetlb memory all the same: it cannot be locked.
        keeps(
            "rwp-keep-mlock",
            "mlock2(MLOCK_ONFAULT), which populates nothing, and munlock",
            on: MemoryKind.withoutHugetlb
        ) {
            (protected) throws(Failure) in
            let (start, length) = (Int(protected.memory.range.start), Int(protected.memory.range.length))
            try checked("mlock2", cuffd_syscall(Int(SYS_mlock2), start, length, 1, 0, 0, 0))
            try checked("munlock", cuffd_syscall(Int(SYS_munlock), start, length, 0, 0, 0, 0))
        },
        keeps("rwp-keep-wake", "UFFDIO_WAKE, which resolves nothing") { (protected) throws(Failure) in
            try protected.uffd.wake(protected.memory.range)
        },
        keeps("rwp-keep-referenced", "clearing the accessed bits (clear_refs)", on: MemoryKind.withoutHugetlb) {
            (_) throws(Failure) in try FileAccess.write("/proc/self/clear_refs", "1")
        },
        keeps(
            "rwp-keep-soft-dirty",
            "clearing soft-dirty",
            rules: "L1 P3",
            on: MemoryKind.withoutHugetlb,
            needs: [.softDirty]
        ) { (_) throws(Failure) in try FileAccess.write("/proc/self/clear_refs", "4") },
        keeps(
            "rwp-keep-swapped-mprotect",
            "swap-out, then mprotect(2) to PROT_NONE, to PROT_READ and back",
            rules: "L1 S1 S2",
            on: RWPSwap.kinds,
            needs: [.swap]
        ) { (protected) throws(Failure) in
            let memory = protected.memory
            try memory.swapOut(0..<memory.pages)
            for protection in [PROT_NONE, PROT_READ, PROT_READ | PROT_WRITE] {
                try memory.protect(memory.range, protection)
                try protected.expectAccessed([0], "swapped out, in protection \(protection)")
            }
        },
        keeps(
            "rwp-keep-swapped-willneed",
            "swap-out, then MADV_WILLNEED, which fills the swap cache",
            on: RWPSwap.kinds,
            needs: [.swap]
        ) { (protected) throws(Failure) in
            let memory = protected.memory
            try memory.swapOut(0..<memory.pages)
            try memory.advise(memory.range, MADV_WILLNEED)
        },
        keeps(
            "rwp-keep-dirty",
            "swap-out after swap-in and a new write: arming a dirty page does not lose the write",
            rules: "P3 L1",
            on: RWPSwap.kinds,
            needs: [.swap]
        ) { (protected) throws(Failure) in
            let memory = protected.memory
            for seed: UInt64 in [2, 1] {
                try protected.resolve(1..<4)
                memory.fill(seed: seed)
                try protected.arm(1..<4)
                try memory.swapOut(0..<memory.pages)
                try protected.resolve(1..<4)
                try memory.check(seed: seed, "swapped in again")
                try protected.arm(1..<4)
            }
        },
        keeps("rwp-keep-split-folio", "a split of the folio itself", on: [.anonTHP], needs: splitFile) {
            (protected) throws(Failure) in try split(protected.memory)
        },
        keeps(
            "rwp-keep-soft-offline",
            "soft offline of its frame, which moves it to another",
            on: [.anon, .anonTHP, .shmem],
            needs: [.file("/proc/sys/vm/memory_failure_recovery", "CONFIG_MEMORY_FAILURE"), .root, .ownMachine]
        ) { (protected) throws(Failure) in
            let memory = protected.memory
            let page = memory.firstPage(1)
            let frame = try memory.entry(page).frame
            // madvise(2) accesses the page to find its frame; a child, which shares the frame, may do that.
            let child = try Child { () throws(Failure) in
                let softOffline: Int32 = 101  // MADV_SOFT_OFFLINE, 2.6.33
                try memory.advise(AddressRange(start: memory.address(page), length: basePageSize), softOffline)
                return 0
            }
            try child.waitForSuccess()
            try protected.context.expect(try memory.entry(page).frame != frame, "soft offline moved nothing")
        },
        keeps("rwp-keep-zero", "nothing, on the zero page", rules: "P1 P2 P3 L1", on: MemoryKind.anonymous, zero: true)
        {
            (_) throws(Failure) in
        },
        keeps("rwp-keep-zero-mprotect", "mprotect(2), on the zero page", on: MemoryKind.anonymous, zero: true) {
            (protected) throws(Failure) in
            let memory = protected.memory
            for protection in [PROT_NONE, PROT_READ, PROT_READ | PROT_WRITE] {
                try memory.protect(memory.range, protection)
            }
        },
        keeps("rwp-keep-zero-split", "a split of the huge zero page", on: [.anonTHP], zero: true) {
            (protected) throws(Failure) in
            let memory = protected.memory
            for chunk in 0..<4 {
                let page = memory.page(memory.firstPage(chunk) + 7)
                try memory.protect(page, PROT_READ)
                try memory.protect(page, PROT_READ | PROT_WRITE)
            }
            try protected.expectArmedPages("split") { $0 >= memory.firstPage(1) }
        },
        keeps(
            "rwp-keep-zero-fork",
            "fork(2) without EVENT_FORK, on the zero page",
            on: MemoryKind.anonymous,
            zero: true
        ) { (protected) throws(Failure) in
            let memory = protected.memory
            let child = try Child { () throws(Failure) in
                try memory.checkZeroes(0..<memory.pages, "in the child")
                memory.fill(seed: 3)
                try memory.check(seed: 3, "written in the child")
                return 0
            }
            try child.waitForSuccess()
        },
        Scenario(
            "rwp-keep-split-to-zero",
            "splitting an armed huge page that is mostly zeroes keeps the arms of those that become the zero page",
            rules: "L1",
            on: [.anonTHP],
            needs: Need.rwp + splitFile,
            splitToZero
        ),
    ]

    /// A knob of debugfs that splits the folios of a range.
    static let splitFile: [Need] = [.file("/sys/kernel/debug/split_huge_pages", "CONFIG_DEBUG_FS"), .root]

    /// Splits a memory's folios, and makes sure of it.
    static func split(_ memory: Memory) throws(Failure) {
        let range = memory.range
        let request = "\(getpid()),\(hex(range.start)),\(hex(range.end))"
        try FileAccess.write("/sys/kernel/debug/split_huge_pages", request)
        if try memory.isHuge(0..<memory.pages) { throw Failure("the huge pages are whole") }
    }

    /// Arms all chunks but the first; after `act` exactly those are armed, their accesses trap, and the data is right.
    /// `zero` populates by reads alone: anonymous memory is the zero page then, which reads must leave in place.
    static func keeps(
        _ name: StaticString,
        _ what: StaticString,
        rules: StaticString = "L1",
        on kinds: [MemoryKind] = MemoryKind.all,
        needs: [Need] = [],
        features: Features = [],
        zero: Bool = false,
        _ act: @escaping @Sendable (Protected) throws(Failure) -> Void
    ) -> Scenario {
        let all = Need.rwp + [.features(features)] + needs
        return Scenario(name, what, rules: rules, on: kinds, needs: all) { (context) throws(Failure) in
            let protected = try Protected(context, async: false, features: features, populated: !zero)
            let memory = protected.memory
            if zero { for page in 0..<memory.pages { memory.load(page) } }
            try protected.showTrap()
            try protected.arm(1..<4)
            try act(protected)
            try protected.expectAccessed([0], "afterwards")
            if zero {
                let zeroes = try protected.categories(.zeroPage)
                try context.expect(!zeroes.contains(false), "a chunk is not the zero page any more (P3)")
            }
            memory.store(memory.firstPage(0), offset: 100, 1)
            try protected.expectNoMessage("access of the unarmed chunk")
            try protected.expectTrap(1, .read)
            try protected.expectTrap(2, .write(1), offset: 100)
            try protected.expectTrap(3, .read)
            try protected.resolve(0..<4)
            for chunk in [0, 2] {
                try context.expectEqual(memory.load(memory.firstPage(chunk), offset: 100), 1, "the byte written")
            }
            if zero {
                for chunk in [1, 3] { try memory.checkZeroes(memory.pageNumbers(chunk..<(chunk + 1)), "at the end") }
            } else {
                try memory.check("at the end")
            }
        }
    }

    private static func splitToZero(_ context: Context) throws(Failure) {
        let protected = try Protected(context, async: false, chunks: 1)
        let memory = protected.memory
        try protected.showTrap()
        memory.fillWithZeroes(0..<memory.pages)
        memory.fill(0..<3)
        // The split wants to find pages mapped one by one, and takes those that hold zeroes for the zero page.
        try protected.armAll()
        try split(memory)
        try protected.expectArmedPages("after the split") { _ in true }
        for page in [2, 9] { try protected.expectPageTrap(page, .write(1), offset: 100) }
        try protected.expectPageTrap(10)
        try protected.resolve(0..<1)
        try memory.check(0..<3, "at the end")
        try memory.checkZeroes(3..<memory.pages, "at the end")
    }
}
