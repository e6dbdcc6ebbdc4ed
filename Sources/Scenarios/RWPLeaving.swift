// SPDX-License-Identifier: GPL-2.0-only

import CUserfaultfd
import Userfaultfd

/// How memory is left whose registration ends, by unregister or by close: accessible as its VMA is, and its shared frames
/// as protected from writes as they were (rule L6).
enum RWPLeaving {
    private static let privateKinds: [MemoryKind] = [.anon, .anonTHP, .shmemPrivate, .hugetlbPrivate]

    static let scenarios: [Scenario] =
        pair(
            "rwp-unregister-swapped",
            "rwp-close-swapped",
            "armed pages that are swapped out are left accessible, too",
            on: RWPSwap.kinds,
            needs: [.swap]
        ) { (protected, leave) throws(Failure) in
            let memory = protected.memory
            try protected.armAll()
            try memory.swapOut(0..<memory.pages)
            try leave()
            try memory.check("read back")
        }
        + pair(
            "rwp-unregister-read-only",
            "rwp-close-read-only",
            "armed pages of a read-only mapping are left readable, and not writable",
            on: MemoryKind.all
        ) { (protected, leave) throws(Failure) in
            let memory = protected.memory
            try memory.protect(memory.range, PROT_READ)
            try protected.armAll()
            try leave()
            try memory.check("read afterwards")
            for chunk in 0..<4 {
                let probe = Probe.write(memory.address(memory.firstPage(chunk)), 1)
                try protected.context.expectEqual(probe.signal, SIGSEGV, "signal of a write to chunk \(chunk)")
            }
            try memory.protect(memory.range, PROT_READ | PROT_WRITE)
        }
        + pair(
            "rwp-unregister-forked",
            "rwp-close-forked",
            "armed pages that a child shares are left to be copied when they are written to",
            on: privateKinds
        ) { (protected, leave) throws(Failure) in
            let memory = protected.memory
            let (childClosed, parentWrote) = (try Gate(), try Gate())
            try protected.arm(0..<2)
            let child = try Child { () throws(Failure) in
                // What the child inherited of the userfaultfd would keep it open.
                protected.uffd.close()
                try childClosed.open()
                try parentWrote.wait()
                try memory.check("in the child, after the parent wrote")
                return 0
            }
            try childClosed.wait()
            // The ones were armed before they were shared, the others after it.
            try protected.arm(2..<4)
            try leave()
            memory.fill(seed: 2)
            try parentWrote.open()
            try child.waitForSuccess()
        }
        + pair(
            "rwp-unregister-unwritten",
            "rwp-close-unwritten",
            "armed pages that are the zero page, or the file's in a private mapping, are left to be copied",
            on: privateKinds
        ) { (protected, leave) throws(Failure) in
            let memory = protected.memory
            let file = memory.kind.isAnonymous ? nil : try memory.alias()
            try memory.advise(memory.range, MADV_DONTNEED)
            file?.fill()
            for page in 0..<memory.pages { memory.load(page) }
            try protected.armAll()
            try leave()
            memory.fill(memory.pageNumbers(0..<2), seed: 2)
            let others = memory.pageNumbers(2..<4)
            if let file {
                try memory.check(others, "not written")
                try file.check("the file")
            } else {
                try memory.checkZeroes(others, "not written")
            }
        }
        + [
            Scenario(
                "rwp-unregister-two",
                "unregistering two VMAs, and the hole between them, at once lets the waiters of both go on",
                rules: "L6",
                needs: Need.rwp,
                two
            ),
            Scenario(
                "rwp-sync-kill",
                "SIGKILL ends a process that is blocked on an armed page, in user mode and in a system call",
                rules: "F1",
                on: [.anon, .shmem, .hugetlb],
                needs: Need.rwp
            ) { (context) throws(Failure) in
                try Missing.killed(context) { (memory) throws(Failure) in
                    let uffd = try Userfaultfd(features: .readWriteProtect)
                    memory.fill()
                    try uffd.register(memory.range, .readWriteProtect)
                    try uffd.readWriteProtect(memory.range)
                    return uffd
                }
            },
        ]

    /// Scenarios of both ways to end a registration: `body` arms, calls `leave`, and leaves the memory writable. None of it
    /// may be armed or registered after `leave`.
    private static func pair(
        _ unregister: StaticString,
        _ close: StaticString,
        _ summary: StaticString,
        on kinds: [MemoryKind],
        needs: [Need] = [],
        _ body: @escaping @Sendable (Protected, _ leave: () throws(Failure) -> Void) throws(Failure) -> Void
    ) -> [Scenario] {
        [(unregister, false), (close, true)].map { (name, closes) in
            Scenario(name, summary, rules: "L6", on: kinds, needs: Need.rwp + needs) { (context) throws(Failure) in
                let protected = try Protected(context, async: false)
                let (memory, uffd) = (protected.memory, protected.uffd)
                try protected.showTrap()
                try body(protected) { () throws(Failure) in
                    if closes { uffd.close() } else { try uffd.unregister(memory.range) }
                    try memory.expectUffdBit(on: 0..<0, context, "afterwards")
                    try context.expect(try !RWPLifetime.hasFlag(memory), "smaps shows 'ur' afterwards")
                }
                memory.fill(seed: 3)
                try memory.check(seed: 3, "written afterwards")
                try memory.expectUffdBit(on: 0..<0, context, "at the end")
            }
        }
    }

    private static func two(_ context: Context) throws(Failure) {
        let (anon, file, whole) = try API.twoWithHole()
        let uffd = try Userfaultfd(features: .readWriteProtect)
        for memory in [anon, file] {
            memory.fill()
            try uffd.register(memory.range, .readWriteProtect)
        }
        try uffd.readWriteProtect(whole)
        var waiters: [Access] = []
        for memory in [anon, file] {
            waiters.append(try Access.write(memory, 1, offset: 64, 7))
            try context.expectFault(uffd, at: memory.address(1), [.readWriteProtect, .write])
        }
        try uffd.unregister(whole)
        for waiter in waiters { try waiter.finish() }
        for memory in [anon, file] {
            try memory.expectUffdBit(on: 0..<0, context, "unregistered")
            try context.expectEqual(memory.load(1, offset: 64), 7, "the byte that a waiter wrote")
            try memory.check("unregistered")
        }
    }

    /// Starts a thread for each of these chunks that writes to it, and sees all of them fall asleep.
    static func waiters(_ protected: Protected, _ chunks: [Int]) throws(Failure) -> [Thread] {
        var waiters: [Thread] = []
        for chunk in chunks {
            let waiter = try protected.touch(chunk, .write(3), offset: 100)
            try protected.expectMessage(chunk, .write(3))
            try waitAsleep(waiter)
            waiters.append(waiter)
        }
        return waiters
    }

    /// Fails unless the data is right, the bytes that `waiters` wrote included.
    static func expectWritten(_ protected: Protected, _ chunks: [Int]) throws(Failure) {
        let memory = protected.memory
        try memory.check("after all went on")
        for chunk in chunks {
            let got = memory.load(memory.firstPage(chunk), offset: 100)
            try protected.context.expectEqual(got, 3, "the byte that a waiter wrote to chunk \(chunk)")
        }
        try memory.expectUffdBit(on: 0..<0, protected.context, "after all went on")
    }

    /// Starts a write(2) of one byte from an armed chunk, which the kernel blocks in while it copies.
    static func blockedCall(_ protected: Protected, _ chunk: Int) throws(Failure) -> BlockingCall {
        let pipe = try Pipe()
        let source = protected.memory.address(protected.memory.firstPage(chunk))
        let call = try BlockingCall { write(pipe.writer, UnsafeRawPointer(bitPattern: source), 1) }
        try protected.expectMessage(chunk, .read)
        return call
    }
}
