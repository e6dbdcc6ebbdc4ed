// SPDX-License-Identifier: GPL-2.0-only

import CUserfaultfd
import Userfaultfd

/// What MOVE refuses, and what every call says while the mappings change or when their process is gone.
extension API {
    static let badMoving: [Scenario] = [
        refuseMove("api-move-source-unaligned", "A source in the middle of a page: EINVAL.", .invalid) {
            (bench) throws(Failure) in bench.source.address(0) + 1
        },
        refuseMove("api-move-source-unmapped", "A source where nothing is mapped: ENOENT.", .noEntry) {
            (bench) throws(Failure) in
            let gone = try Memory(.anon, pages: 1)
            try gone.unmap()
            return gone.address(0)
        },
        refuseMove("api-move-source-hole", "A source without a page, and no ALLOW_SRC_HOLES: ENOENT.", .noEntry) {
            (bench) throws(Failure) in try Memory(.anon, pages: 4).address(0)
        },
        refuseMove("api-move-source-short", "A source that ends before the range does: EINVAL.", .invalid) {
            (bench) throws(Failure) in bench.source.address(3)
        },
        refuseMove("api-move-source-file", "A source that is shmem: EINVAL.", .invalid) { (bench) throws(Failure) in
            let file = try Memory(.shmem, pages: 4)
            file.fill()
            return file.address(0)
        },
        refuseMove("api-move-source-hugetlb", "A source that is hugetlb: EINVAL.", .invalid, on: [.hugetlbPrivate]) {
            (bench) throws(Failure) in try Memory(.hugetlbPrivate, pages: 1).address(0)
        },
        refuseMove("api-move-source-read-only", "A source that is mapped otherwise, read-only: EINVAL.", .invalid) {
            (bench) throws(Failure) in
            let other = try Memory(.anon, pages: 4)
            other.fill()
            try other.protect(other.range, PROT_READ)
            return other.address(0)
        },
        refuseMove("api-move-source-locked", "A source that is locked where the destination is not: EINVAL.", .invalid)
        {
            (bench) throws(Failure) in
            let other = try Memory(.anon, pages: 4)
            other.fill()
            if mlock(UnsafeRawPointer(bitPattern: other.range.start), Int(other.range.length)) != 0 {
                throw Failure(call: "mlock", code: cuffd_errno())
            }
            return other.address(0)
        },
        check(
            "api-move-shared",
            "A source page that a forked child shares: EBUSY, and both keep it.",
            needs: [.features(.move)]
        ) { (context) throws(Failure) in
            let bench = try Bench(.move)
            let done = try Pipe()
            let child = try Child { () throws(Failure) in
                _ = try done.readByte()
                try bench.source.check("in the child")
                return 0
            }
            try context.expectErrno(.busy, "shared page") { () throws(Failure) in
                try bench.uffd.move(to: bench.memory.range, from: bench.source.address(0))
            }
            try bench.source.check("in the parent")
            try done.send(from: bench.source.address(0), count: 1)
            try child.waitForSuccess()
        },
    ]

    /// MOVE from a source that `source` makes: refused, and the destination stays unpopulated; a good one then works.
    private static func refuseMove(
        _ name: StaticString,
        _ summary: StaticString,
        _ expected: Errno,
        on kinds: [MemoryKind] = [],
        _ source: @escaping @Sendable (Bench) throws(Failure) -> UInt
    ) -> Scenario {
        Scenario(name, summary, on: kinds, needs: [.features(.move)], traps: false) { (context) throws(Failure) in
            let bench = try Bench(.move)
            let from = try source(bench)
            try context.expectErrno(expected, "bad source") { () throws(Failure) in
                try bench.uffd.move(to: bench.memory.pages(0..<2), from: from)
            }
            try context.expect(try !bench.memory.entry(0).isPresent, "a page arrived")
            try bench.uffd.move(to: bench.memory.range, from: bench.source.address(0))
            // The pattern of a page is made of its number, which the move keeps.
            try bench.memory.check("after a good move")
        }
    }

    /// The mappings change: an event is unread, and until it is read every call gives EAGAIN.
    static let changing: [Scenario] = [
        whileChanging("api-copy-changing", .copy),
        whileChanging("api-zeropage-changing", .zeropage),
        whileChanging("api-writeprotect-changing", .writeProtect),
        whileChanging("api-continue-changing", .continue),
        whileChanging("api-poison-changing", .poison),
        whileChanging("api-move-changing", .move),
        whileChanging("api-rwprotect-changing", .readWriteProtect, rules: "P4"),
    ]

    private static func whileChanging(_ name: StaticString, _ call: RangeCall, rules: StaticString = "") -> Scenario {
        check(
            name,
            "While an event is unread: EAGAIN; once it is read the call works.",
            rules: rules,
            needs: call.needs + [.features(.eventRemove)]
        ) { (context) throws(Failure) in
            for call in call.variants {
                let bench = try Bench(call, features: .eventRemove)
                let range = bench.memory.range
                let waiter = call.resolves ? try Access.read(bench.memory, 0) : nil
                if waiter != nil { try context.expectFault(bench.uffd, at: range.start, .readWriteProtect) }
                let other = try Memory(.anon, pages: 1)
                try bench.uffd.register(other.range, .missing)
                let thread = try Thread { () throws(Failure) in try other.advise(other.range, MADV_DONTNEED) }
                _ = try waitReadable(bench.uffd.descriptor, milliseconds: -1)
                try context.expectErrno(.again, "with an event unread") { () throws(Failure) in
                    try call.issue(bench, range)
                }
                try bench.expectUnchanged(context)
                if waiter != nil { try context.expectAsleep(bench.uffd, 1) }
                let message = try bench.uffd.next()
                try context.expect(message == .remove(other.range), "expected the event, got \(message.description)")
                try thread.join()
                try context.step("after the event") { () throws(Failure) in try call.issue(bench, range) }
                if call == .resolveDontWake { try bench.uffd.wake(range) }
                try waiter?.finish()
            }
        }
    }

    /// The process whose memory it was is gone: ESRCH; MOVE, which works on one's own memory alone, EINVAL.
    static let gone: [Scenario] = [
        afterExit("api-copy-gone", .copy, .noProcess),
        afterExit("api-zeropage-gone", .zeropage, .noProcess),
        afterExit("api-writeprotect-gone", .writeProtect, .noProcess),
        afterExit("api-continue-gone", .continue, .noProcess),
        afterExit("api-poison-gone", .poison, .noProcess),
        afterExit("api-move-gone", .move, .invalid),
        afterExit("api-register-gone", .register, .noMemory),
        afterExit("api-unregister-gone", .unregister, .noMemory),
        afterExit("api-rwprotect-gone", .readWriteProtect, .noProcess, rules: "P4"),
    ]

    private static func afterExit(
        _ name: StaticString,
        _ call: RangeCall,
        _ expected: Errno,
        rules: StaticString = ""
    ) -> Scenario {
        check(
            name,
            "After the end of the process that made the userfaultfd.",
            rules: rules,
            needs: call.needs + [.root]
        ) {
            (context) throws(Failure) in
            for call in call.variants {
                let bench = try Bench(call)
                let (ready, done) = (try Pipe(), try Pipe())
                let child = try Child { () throws(Failure) in
                    let own = try Bench(call)
                    var number = UInt64(own.uffd.descriptor)
                    try withUnsafeBytes(of: &number) { (bytes) throws(Failure) in
                        try ready.send(from: UInt(bitPattern: bytes.baseAddress), count: 8)
                    }
                    _ = try done.readByte()
                    return 0
                }
                var number: UInt64 = 0
                try withUnsafeMutableBytes(of: &number) { (bytes) throws(Failure) in
                    try ready.receive(to: UInt(bitPattern: bytes.baseAddress), count: 8)
                }
                let theirs = Userfaultfd(descriptor: try takeDescriptor(of: child, Int32(number)))
                let adopted = Bench(bench, uffd: theirs)
                try done.send(from: bench.source.address(0), count: 1)
                try child.waitForSuccess()
                try context.expectErrno(expected, "the process is gone") { () throws(Failure) in
                    try call.issue(adopted, adopted.memory.range)
                }
                try bench.expectUnchanged(context)
                let own = try Bench(call)
                try context.step("own memory") { () throws(Failure) in try call.issue(own, own.memory.range) }
            }
        }
    }

    /// A descriptor of another process, as one's own (pidfd_getfd(2)).
    private static func takeDescriptor(of child: Child, _ descriptor: Int32) throws(Failure) -> Int32 {
        // Both numbers are the same on every architecture; they are younger than some C libraries' headers.
        let (pidfdOpen, pidfdGetfd) = (434, 438)
        let pidfd = try checked("pidfd_open", cuffd_syscall(pidfdOpen, Int(child.identifier), 0, 0, 0, 0, 0))
        defer { close(Int32(pidfd)) }
        let taken = try checked("pidfd_getfd", cuffd_syscall(pidfdGetfd, pidfd, Int(descriptor), 0, 0, 0, 0))
        return Int32(taken)
    }
}
