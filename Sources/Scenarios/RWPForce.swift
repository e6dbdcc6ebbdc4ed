// SPDX-License-Identifier: GPL-2.0-only

import CUserfaultfd
import Userfaultfd

/// GUP that cannot wait (/proc/PID/mem), that is forced (FOLL_FORCE), and that came before the arm (rule F5).
enum RWPForce {
    static let scenarios: [Scenario] = [
        Scenario(
            "rwp-gup-mem-sync",
            "/proc/self/mem cannot wait for a monitor: it gets at no armed page",
            rules: "F5 F1",
            on: MemoryKind.all,
            needs: Need.rwp,
            memSync
        ),
        Scenario(
            "rwp-gup-mem-async",
            "/proc/self/mem resolves what it reads and writes",
            rules: "F5 F2",
            on: MemoryKind.all,
            needs: Need.rwp,
            memAsync
        ),
        Scenario(
            "rwp-gup-force-none",
            "FOLL_FORCE on an RWP VMA made PROT_NONE neither loops nor traps",
            rules: "F5 F3",
            on: MemoryKind.all,
            needs: Need.rwp
        ) { (context) throws(Failure) in try forceOnNone(context, swapped: false) },
        Scenario(
            "rwp-gup-force-none-swapped",
            "the same of swapped-out pages, which come back armed",
            rules: "F5 F3 L1",
            on: RWPSwap.kinds,
            needs: Need.rwp + [.swap]
        ) { (context) throws(Failure) in try forceOnNone(context, swapped: true) },
        forceOnShared(
            "rwp-gup-force-copies",
            "a forced write to an armed page that is shared with a child or the file copies it, and ends",
            staysArmed: false
        ),
        forceOnShared(
            "rwp-gup-force-shared",
            "a page that a forced write copied, since it was shared with a child or the file, is armed still",
            staysArmed: true
        ),
        Scenario(
            "rwp-gup-force-read-only",
            "a forced write to an armed page of a read-only private mapping resolves and copies it, or is refused",
            rules: "F5 F1 F2",
            on: [.anon, .anonTHP, .shmemPrivate, .hugetlbPrivate],
            needs: Need.rwp
        ) { (context) throws(Failure) in
            for isAsync in [true, false] { try forceOnReadOnly(context, async: isAsync) }
        },
        Scenario(
            "rwp-gup-pinned-arm",
            "a page that is pinned for long can be armed, and traps",
            rules: "P1 F5",
            on: [.anon, .shmem, .hugetlb],
            needs: Need.rwp + [.gupTest, .root],
            pinnedArm
        ),
    ]

    /// GUP of another mm's memory does not drop the mmap lock, so a userfaultfd cannot make it wait: it fails, as it
    /// does on a write-protected page of a WP VMA. What it must never do is to get at the data of an armed page.
    private static func memSync(_ context: Context) throws(Failure) {
        let protected = try Protected(context, async: false)
        let memory = protected.memory
        try protected.showTrap()
        try protected.armAll()
        let file = try ProcessMemory()
        var word: UInt64 = 0x1122_3344_5566_7788
        for chunk in [1, 2] {
            let address = memory.address(memory.firstPage(chunk)) + 64
            try context.expect(!file.read(&word, at: address), "read through /proc/self/mem of armed chunk \(chunk)")
            try context.expect(!file.write(&word, at: address), "write through /proc/self/mem of armed chunk \(chunk)")
        }
        try protected.expectNoMessage("access through /proc/self/mem")
        try protected.expectAccessed([], "after access through /proc/self/mem")
        try protected.resolve(1..<2)
        try context.expect(
            file.read(&word, at: memory.address(memory.firstPage(1))),
            "read through /proc/self/mem when resolved"
        )
        try protected.resolve(0..<4)
        try memory.check("at the end")
    }

    private static func memAsync(_ context: Context) throws(Failure) {
        let protected = try Protected(context, async: true)
        let memory = protected.memory
        try protected.showTrap()
        try protected.armAll()
        let file = try ProcessMemory()
        var word: UInt64 = 0
        let (first, second) = (memory.address(memory.firstPage(1)) + 64, memory.address(memory.firstPage(2)) + 64)
        try context.expect(file.read(&word, at: first), "read through /proc/self/mem")
        try protected.expectAccessed([1], "after a read through /proc/self/mem")
        try context.expect(word == cuffd_load64(first), "the word read")
        word = 0x1122_3344_5566_7788
        try context.expect(file.write(&word, at: second), "write through /proc/self/mem")
        try protected.expectAccessed([1, 2], "after a write through /proc/self/mem")
        try context.expect(word == cuffd_load64(second), "the word written")
        try memory.check("at the end")
    }

    private static func forceOnNone(_ context: Context, swapped: Bool) throws(Failure) {
        let protected = try Protected(context, async: false)
        let memory = protected.memory
        try protected.showTrap()
        try protected.arm(1..<3)
        if swapped { try memory.swapOut(0..<memory.pages) }
        try memory.protect(memory.range, PROT_NONE)
        let file = try ProcessMemory()
        // What the kernel answers is its business (mappings without VM_MAYREAD fail, others are read); that it answers,
        // and sends no message, is the promise. A loop is the watchdog's.
        for chunk in 0..<4 {
            var word: UInt64 = 0
            let address = memory.address(memory.firstPage(chunk))
            // What was read is written back, so that the data stays: a private page may be copied for it.
            if file.read(&word, at: address) { _ = file.write(&word, at: address) }
        }
        try protected.expectNoMessage("FOLL_FORCE on a PROT_NONE mapping")
        try memory.protect(memory.range, PROT_READ | PROT_WRITE)
        try protected.expectAccessed([0, 3], "accessible again")
        try protected.expectTrap(2, .read)
        try protected.resolve(0..<4)
        try memory.check("at the end")
    }

    /// The pages are no longer exclusive to the process, so the write cannot go to them: of a file page that was only
    /// read, and of pages that a child has.
    private static func forceOnShared(_ name: StaticString, _ what: StaticString, staysArmed: Bool) -> Scenario {
        let kinds: [MemoryKind] = [.anon, .anonTHP, .shmemPrivate, .hugetlbPrivate]
        return Scenario(name, what, rules: "F5 F3 L3", on: kinds, needs: Need.rwp) { (context) throws(Failure) in
            let protected = try Protected(context, async: false, populated: false)
            let memory = protected.memory
            memory.fill()
            try memory.advise(memory.chunk(3), MADV_DONTNEED)
            memory.load(memory.firstPage(3))
            try protected.showTrap()
            let gate = try Gate()
            let child = try Child { () throws(Failure) in
                try gate.wait()
                try memory.check(memory.pageNumbers(0..<3), "in the child")
                for chunk in 0..<4 where memory.load(memory.firstPage(chunk), offset: 64) != 0 {
                    throw Failure("the child sees what was written to chunk \(chunk)")
                }
                return 0
            }
            try protected.arm(1..<4)
            try memory.protect(memory.range, PROT_NONE)
            let file = try ProcessMemory()
            for chunk in 1..<4 {
                var word: UInt64 = 0x1122_3344_5566_7788
                let address = memory.address(memory.firstPage(chunk)) + 64
                try context.expect(file.write(&word, at: address), "forced write to chunk \(chunk)")
            }
            try protected.expectNoMessage("FOLL_FORCE on a PROT_NONE mapping")
            try memory.protect(memory.range, PROT_READ | PROT_WRITE)
            if staysArmed {
                try protected.expectAccessed([0], "accessible again")
                for chunk in 1..<4 { try protected.expectTrap(chunk, .read, offset: 64) }
            } else {
                try protected.resolve(1..<4)
            }
            for chunk in 1..<4 {
                let word = cuffd_load64(memory.address(memory.firstPage(chunk)) + 64)
                try context.expectEqual(word, 0x1122_3344_5566_7788, "what was written to chunk \(chunk)")
            }
            try memory.check(memory.pageNumbers(0..<3), "at the end")
            try gate.open()
            try child.waitForSuccess()
        }
    }

    /// The pages are a child's, too, so that a write must not go to them.
    private static func forceOnReadOnly(_ context: Context, async: Bool) throws(Failure) {
        let protected = try Protected(context, async: async)
        let memory = protected.memory
        try protected.showTrap()
        try memory.protect(memory.range, PROT_READ)
        try protected.armAll()
        let place = memory.address(memory.firstPage(1)) + 64
        let gate = try Gate()
        let child = try Child { () throws(Failure) in
            try gate.wait()
            try memory.check("in the child")
            return cuffd_load64(place) == 0 ? 0 : 1
        }
        var word: UInt64 = 0x1122_3344_5566_7788
        let file = try ProcessMemory()
        try context.expect(file.write(&word, at: place) == async, "forced write: \(async ? "refused" : "passed")")
        try protected.expectNoMessage("access through /proc/self/mem")
        try protected.expectAccessed(async ? [1] : [], "after a forced write")
        try memory.protect(memory.range, PROT_READ | PROT_WRITE)
        try protected.resolve(0..<4)
        try context.expectEqual(cuffd_load64(place), async ? word : 0, "the word there")
        try memory.check("at the end")
        try gate.open()
        try child.waitForSuccess()
    }

    private static func pinnedArm(_ context: Context) throws(Failure) {
        let protected = try Protected(context, async: false)
        let memory = protected.memory
        try protected.showTrap()
        let pin = try LongtermPin(memory.chunk(1), write: true)
        try protected.armAll()
        for chunk in [1, 2] { try protected.expectTrap(chunk, .write(1), offset: 100) }
        try pin.release()
        try protected.resolve(0..<4)
        try memory.check("at the end")
    }
}
