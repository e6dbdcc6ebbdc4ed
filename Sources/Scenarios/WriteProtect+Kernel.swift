// SPDX-License-Identifier: GPL-2.0-only

import CUserfaultfd
import Userfaultfd

/// Accesses that the kernel makes through get_user_pages: writes trap or resolve by themselves, reads do neither.
extension WriteProtect {
    static let pinning: [Scenario] =
        [
            tracked(
                "wp-gup-read",
                "process_vm_readv, vmsplice and a read of /proc/self/mem do not trap and see the data."
            ) { (context, tracked) throws(Failure) in
                try tracked.showTrap(2)
                for read in KernelAccess.reads {
                    try context.expectEqual(
                        try read.first(tracked.memory.address(1)),
                        tracked.memory.load(1),
                        "byte read"
                    )
                }
                try tracked.expectQuiet("after reads by the kernel")
                try tracked.expectProtected(0..<tracked.memory.pages, "after reads by the kernel")
            },
            tracked(
                "wp-gup-mem",
                "A write to /proc/self/mem cannot wait for a resolution: EIO, no message, and nothing is changed."
            ) { (context, tracked) throws(Failure) in
                try context.expectErrno(Errno(code: EIO), "write to /proc/self/mem") { () throws(Failure) in
                    try KernelAccess.mem.write(tracked.memory.address(1))
                }
                try tracked.expectQuiet("after the refused write")
                try tracked.expectProtected(0..<tracked.memory.pages, "after the refused write")
                try context.expectEqual(tracked.memory.load(1, offset: 16), 0, "byte after the refused write")
                try tracked.expectTrap(1, offset: 24)
                try KernelAccess.mem.write(tracked.memory.address(1))
                try KernelAccess.mem.expectDone(tracked.memory, 1, context)
            },
            asyncGUP("wp-gup-mem-async", "a write to /proc/self/mem", .mem),
        ] + gup("wp-gup-writev", "wp-gup-writev-async", "process_vm_writev", .processVM)
        + gup("wp-gup-direct", "wp-gup-direct-async", "An O_DIRECT read of a block device", .direct, [.swap, .root])
        + gup("wp-gup-longterm", "wp-gup-longterm-async", "A long-term pin", .pin, [PinnedBuffer.need, .root])

    /// A kernel access that writes page 1, in synchronous and in asynchronous mode.
    private static func gup(
        _ name: StaticString,
        _ asyncName: StaticString,
        _ what: StaticString,
        _ access: KernelAccess,
        _ needs: [Need] = []
    ) -> [Scenario] {
        [
            tracked(
                name,
                "The kernel's write into a protected page delivers one message, and goes on once it is resolved.",
                needs: needs
            ) { (context, tracked) throws(Failure) in
                let address = tracked.memory.address(1)
                let writer = try Thread { () throws(Failure) in try access.write(address) }
                try tracked.expectMessage(1)
                try context.expect(!writer.isFinished, "\(what) went through")
                try tracked.memory.check("while it waits")
                try tracked.resolve(1..<2)
                try writer.join()
                try access.expectDone(tracked.memory, 1, context)
                try tracked.expectQuiet("after one write by the kernel")
                try tracked.expectProtected(without: 1, "after it")
            },
            asyncGUP(asyncName, what, access, needs),
        ]
    }

    private static func asyncGUP(
        _ name: StaticString,
        _ what: StaticString,
        _ access: KernelAccess,
        _ needs: [Need] = []
    ) -> Scenario {
        asynchronous(
            name,
            "The kernel's write into an asynchronously tracked page passes, and is reported for that page alone.",
            needs: needs
        ) { (context, tracked) throws(Failure) in
            try access.write(tracked.memory.address(1))
            try tracked.expectWritten([1], "after \(what)")
            context.sawTrap()
            try access.expectDone(tracked.memory, 1, context)
            try tracked.expectQuiet("in asynchronous mode")
        }
    }
}

/// A way in which the kernel writes, or reads, the program's memory on its behalf.
enum KernelAccess: Sendable {
    /// process_vm_writev(2) and process_vm_readv(2).
    case processVM
    /// /proc/self/mem (proc_pid_mem(5)).
    case mem
    /// A read of a block device that bypasses the page cache: the swap device's first page, whose end is known.
    case direct
    /// A pin for writing by io_uring_register(2), which changes no byte.
    case pin
    /// vmsplice(2) of the page into a pipe; for reads alone.
    case vmsplice

    static let reads: [KernelAccess] = [.processVM, .mem, .vmsplice]
    private static let value: UInt8 = 0xE7

    /// Writes the page's byte 16, or, for O_DIRECT, the whole base page.
    func write(_ address: UInt) throws(Failure) {
        var byte = KernelAccess.value
        switch self {
        case .processVM:
            var count = 0
            withUnsafeMutablePointer(to: &byte) { pointer in
                var local = iovec(iov_base: pointer, iov_len: 1)
                var remote = iovec(iov_base: UnsafeMutableRawPointer(bitPattern: address + 16), iov_len: 1)
                count = process_vm_writev(getpid(), &local, 1, &remote, 1, 0)
            }
            if count != 1 { throw Failure(call: "process_vm_writev", code: cuffd_errno()) }
        case .mem:
            let file = try checked("open", cuffd_open("/proc/self/mem", O_RDWR, 0))
            defer { close(file) }
            if pwrite(file, &byte, 1, Int(address + 16)) != 1 {
                throw Failure(call: "write to /proc/self/mem", code: cuffd_errno())
            }
        case .direct:
            guard let device = try FileAccess.lines("/proc/swaps").dropFirst().first?.words.first else {
                throw Failure("/proc/swaps has no device")
            }
            let file = try checked("open of \(device)", cuffd_open(device, O_RDONLY | O_DIRECT, 0))
            defer { close(file) }
            let count = read(file, UnsafeMutableRawPointer(bitPattern: address), Int(basePageSize))
            if count != Int(basePageSize) { throw Failure(call: "direct read of \(device)", code: cuffd_errno()) }
        case .pin:
            try PinnedBuffer(AddressRange(start: address, length: basePageSize)).release()
        case .vmsplice:
            throw Failure("vmsplice does not write")
        }
    }

    /// Fails unless the bytes are there that `write` wrote.
    func expectDone(_ memory: Memory, _ page: Int, _ context: Context) throws(Failure) {
        switch self {
        case .processVM, .mem:
            try context.expectEqual(memory.load(page, offset: 16), KernelAccess.value, "byte written")
            try memory.check("around the byte")
        case .direct:
            // A swap area's first page ends in SWAPSPACE2 (mkswap(8)).
            try context.expectEqual(memory.load(page, offset: basePageSize - 1), 0x32, "last byte of the swap header")
            try memory.check(page + 1..<memory.pages, "behind the page")
        case .pin, .vmsplice:
            try memory.check("after the pin")
        }
    }

    /// The first byte at an address, read by the kernel.
    func first(_ address: UInt) throws(Failure) -> UInt8 {
        var byte: UInt8 = 0
        switch self {
        case .processVM:
            var count = 0
            withUnsafeMutablePointer(to: &byte) { pointer in
                var local = iovec(iov_base: pointer, iov_len: 1)
                var remote = iovec(iov_base: UnsafeMutableRawPointer(bitPattern: address), iov_len: 1)
                count = process_vm_readv(getpid(), &local, 1, &remote, 1, 0)
            }
            if count != 1 { throw Failure(call: "process_vm_readv", code: cuffd_errno()) }
        case .mem:
            let file = try checked("open", cuffd_open("/proc/self/mem", O_RDONLY, 0))
            defer { close(file) }
            if pread(file, &byte, 1, Int(address)) != 1 {
                throw Failure(call: "read of /proc/self/mem", code: cuffd_errno())
            }
        case .vmsplice:
            let pipe = try Pipe()
            var vector = iovec(iov_base: UnsafeMutableRawPointer(bitPattern: address), iov_len: 1)
            if CUserfaultfd.vmsplice(pipe.writer, &vector, 1, 0) != 1 {
                throw Failure(call: "vmsplice", code: cuffd_errno())
            }
            byte = try pipe.readByte()
        case .direct, .pin:
            throw Failure("this access does not read")
        }
        return byte
    }
}
