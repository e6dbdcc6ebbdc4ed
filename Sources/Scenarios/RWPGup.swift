// SPDX-License-Identifier: GPL-2.0-only

import CUserfaultfd
import Userfaultfd

/// The kernel's own accesses through get_user_pages() (rule F5).
enum RWPGup {
    private static let gupTest: [Need] = [.gupTest, .root]

    /// Each way in, once synchronously and once asynchronously.
    static let scenarios: [Scenario] = [
        pair(
            "rwp-gup-vmsplice-sync",
            "rwp-gup-vmsplice-async",
            "vmsplice(2) from an armed page",
            [],
            false,
            vmsplice
        ),
        pair(
            "rwp-gup-vm-readv-sync",
            "rwp-gup-vm-readv-async",
            "process_vm_readv(2) by another process",
            [],
            false,
            remoteRead
        ),
        pair(
            "rwp-gup-vm-writev-sync",
            "rwp-gup-vm-writev-async",
            "process_vm_writev(2) by another process",
            [],
            true,
            remoteWrite
        ),
        pair(
            "rwp-gup-io-uring-sync",
            "rwp-gup-io-uring-async",
            "registering an io_uring fixed buffer",
            [PinnedBuffer.need],
            true,
            ioUring
        ),
        pair(
            "rwp-gup-direct-sync",
            "rwp-gup-direct-async",
            "an O_DIRECT read into an armed buffer",
            [.swap, .root],
            true
        ) {
            (memory, chunk) throws(Failure) in
            let page = memory.firstPage(chunk)
            try KernelAccess.direct.write(memory.address(page))
            try expectDisarmed(memory, page)
            memory.fill(page..<(page + 1))
        },
        pair(
            "rwp-gup-populate-read-sync",
            "rwp-gup-populate-read-async",
            "MADV_POPULATE_READ",
            [],
            false
        ) {
            (memory, chunk) throws(Failure) in
            try memory.advise(memory.chunk(chunk), 22)  // MADV_POPULATE_READ, 5.14
        },
        pair(
            "rwp-gup-populate-write-sync",
            "rwp-gup-populate-write-async",
            "MADV_POPULATE_WRITE",
            [],
            true
        ) {
            (memory, chunk) throws(Failure) in
            try memory.advise(memory.chunk(chunk), 23)  // MADV_POPULATE_WRITE, 5.14
        },
        pair(
            "rwp-gup-fast-sync",
            "rwp-gup-fast-async",
            "get_user_pages_fast()",
            gupTest,
            false
        ) {
            (memory, chunk) throws(Failure) in try gup(memory, chunk, CUFFD_GUP_FAST)
        },
        impatient(
            "rwp-gup-slow-sync",
            "rwp-gup-slow-async",
            "get_user_pages()",
            gupTest
        ) {
            (memory, chunk) throws(Failure) in try gup(memory, chunk, CUFFD_GUP_BASIC)
        },
        impatient(
            "rwp-gup-pin-sync",
            "rwp-gup-pin-async",
            "pin_user_pages()",
            gupTest
        ) {
            (memory, chunk) throws(Failure) in try gup(memory, chunk, CUFFD_PIN_BASIC)
        },
        pair(
            "rwp-gup-longterm-sync",
            "rwp-gup-longterm-async",
            "pin_user_pages(FOLL_LONGTERM)",
            gupTest,
            true
        ) {
            (memory, chunk) throws(Failure) in
            let device = try LongtermPin(memory.chunk(chunk), write: true)
            try device.release()
        },
        pair(
            "rwp-gup-futex-sync",
            "rwp-gup-futex-async",
            "FUTEX_WAKE_OP on a word of an armed page",
            [],
            true,
            futex
        ),
    ].flatMap { $0 }

    /// Has the kernel add 0 to a word, which it does not access before: the keys of a private futex are addresses.
    private static func futex(_ memory: Memory, _ chunk: Int) throws(Failure) {
        let operation = 5 | 128  // FUTEX_WAKE_OP | FUTEX_PRIVATE_FLAG
        let add = 1 << 28  // FUTEX_OP(FUTEX_OP_ADD, 0, FUTEX_OP_CMP_EQ, 0)
        let page = memory.firstPage(chunk)
        let word = Int(bitPattern: memory.address(page))
        try checked("futex", cuffd_syscall(Int(SYS_futex), word, operation, 0, 0, word, add))
        try expectDisarmed(memory, page)
    }

    /// Scenarios of one way in. `enter` accesses a chunk through GUP and returns when it is through.
    private static func pair(
        _ sync: StaticString,
        _ async: StaticString,
        _ summary: StaticString,
        _ needs: [Need],
        _ writes: Bool,
        _ enter: @escaping @Sendable (Memory, Int) throws(Failure) -> Void
    ) -> [Scenario] {
        [
            Scenario(sync, summary, rules: "F5 F1", on: MemoryKind.all, needs: Need.rwp + needs) {
                (context) throws(Failure) in
                let protected = try Protected(context, async: false)
                let memory = protected.memory
                try protected.armAll()
                let thread = try Thread { () throws(Failure) in try enter(memory, 1) }
                while try waitReadable(protected.uffd.descriptor, milliseconds: 10) == 0 {
                    guard thread.isFinished else { continue }
                    try thread.join()
                    throw Failure("GUP went on without a message")
                }
                try protected.expectMessage(1, writes ? .write(0) : .read)
                try context.expect(!thread.isFinished, "GUP went on before the trap was resolved")
                try protected.expectAccessed([], "before the trap is resolved")
                try protected.resolve(1..<2)
                try thread.join()
                try protected.expectNoMessage("after GUP")
                try protected.expectAccessed([1], "after GUP")
                try protected.resolve(0..<4)
                try memory.check("at the end")
            },
            resolved(async, summary, needs, enter),
        ]
    }

    /// Scenarios of a way in that holds the mmap lock throughout and so cannot wait for a monitor: sync, it fails.
    private static func impatient(
        _ sync: StaticString,
        _ async: StaticString,
        _ summary: StaticString,
        _ needs: [Need],
        _ enter: @escaping @Sendable (Memory, Int) throws(Failure) -> Void
    ) -> [Scenario] {
        [
            Scenario(sync, summary, rules: "F5 F1", on: MemoryKind.all, needs: Need.rwp + needs) {
                (context) throws(Failure) in
                let protected = try Protected(context, async: false)
                try protected.showTrap()
                try protected.armAll()
                var passed = true
                do throws(Failure) {
                    try enter(protected.memory, 1)
                } catch {
                    passed = false
                }
                try context.expect(!passed, "GUP got at an armed page in sync mode")
                try protected.expectNoMessage("GUP that cannot wait")
                try protected.expectAccessed([], "after GUP failed")
                try protected.resolve(1..<2)
                try enter(protected.memory, 1)
                try protected.resolve(0..<4)
                try protected.memory.check("at the end")
            },
            resolved(async, summary, needs, enter),
        ]
    }

    private static func resolved(
        _ name: StaticString,
        _ summary: StaticString,
        _ needs: [Need],
        _ enter: @escaping @Sendable (Memory, Int) throws(Failure) -> Void
    ) -> Scenario {
        Scenario(name, summary, rules: "F5 F2", on: MemoryKind.all, needs: Need.rwp + needs) {
            (context) throws(Failure) in
            let protected = try Protected(context, async: true)
            try protected.showTrap()
            try protected.armAll()
            try enter(protected.memory, 1)
            try protected.expectAccessed([1], "after GUP")
            try protected.memory.check("at the end")
        }
    }

    private static func vmsplice(_ memory: Memory, _ chunk: Int) throws(Failure) {
        let pipe = try Pipe()
        let page = memory.firstPage(chunk)
        // Never the page itself, not even afterwards: to load from it would trap, and hide that vmsplice did not.
        let pattern = try memory.pattern(of: page)
        try checked("vmsplice", cuffd_vmsplice(pipe.writer, memory.address(page), 8))
        var word: UInt64 = 0
        if read(pipe.reader, &word, 8) != 8 { throw Failure(call: "read of a pipe", code: cuffd_errno()) }
        if word != cuffd_load64(pattern.range.start) { throw Failure("vmsplice gave \(word)") }
    }

    private static func remoteRead(_ memory: Memory, _ chunk: Int) throws(Failure) {
        try fromAnotherProcess(memory, chunk, write: false)
    }

    /// Looks at what GUP left before anybody touches the page: to do that would trap, and hide that GUP did not.
    private static func expectDisarmed(_ memory: Memory, _ page: Int) throws(Failure) {
        if try memory.entry(page).isUffd { throw Failure("GUP got at an armed page") }
    }

    private static func remoteWrite(_ memory: Memory, _ chunk: Int) throws(Failure) {
        try fromAnotherProcess(memory, chunk, write: true)
        try expectDisarmed(memory, memory.firstPage(chunk))
        let word = cuffd_load64(memory.address(memory.firstPage(chunk)) + 64)
        if word != 0x1122_3344_5566_7788 { throw Failure("process_vm_writev wrote \(hex(UInt(word)))") }
    }

    /// Lets a child read, or write, a word of this process's chunk.
    private static func fromAnotherProcess(_ memory: Memory, _ chunk: Int, write: Bool) throws(Failure) {
        let parent = getpid()
        let address = memory.address(memory.firstPage(chunk)) + 64
        let child = try Child { () throws(Failure) in
            var word: UInt64 = 0x1122_3344_5566_7788
            try transferWord(of: parent, at: address, &word, write: write)
            return 0
        }
        try child.waitForSuccess()
    }

    private static func ioUring(_ memory: Memory, _ chunk: Int) throws(Failure) {
        let address = memory.address(memory.firstPage(chunk))
        try PinnedBuffer(AddressRange(start: address, length: basePageSize)).release()
    }

    private static func gup(_ memory: Memory, _ chunk: Int, _ request: UInt) throws(Failure) {
        let device = try checked("open of gup_test", cuffd_open("/sys/kernel/debug/gup_test", O_RDWR, 0))
        defer { close(device) }
        var argument = gup_test()
        argument.addr = UInt64(memory.address(memory.firstPage(chunk)))
        argument.size = UInt64(basePageSize)
        argument.nr_pages_per_call = 1
        try checked("gup_test", cuffd_ioctl(device, request, &argument))
        if argument.size != UInt64(basePageSize) { throw Failure("gup_test got \(argument.size) bytes") }
    }
}
