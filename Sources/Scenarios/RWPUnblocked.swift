// SPDX-License-Identifier: GPL-2.0-only

import CUserfaultfd
import Userfaultfd

/// Userfaultfds that let no fault wait, or none of the kernel's: UFFD_FEATURE_SIGBUS and UFFD_USER_MODE_ONLY (rules F1, F2).
enum RWPUnblocked {
    static let scenarios: [Scenario] = [
        Scenario(
            "rwp-sync-sigbus",
            "with UFFD_FEATURE_SIGBUS an access of an armed page raises SIGBUS, and one of the kernel's gives EFAULT",
            rules: "F1 F5",
            on: MemoryKind.all,
            needs: Need.rwp,
            sigbus
        ),
        Scenario(
            "rwp-sync-user-mode-only",
            "with UFFD_USER_MODE_ONLY a system call on an armed page fails with EFAULT",
            rules: "F1 F5",
            on: MemoryKind.all,
            needs: Need.rwp,
            userModeOnly
        ),
        Scenario(
            "rwp-message-async-sigbus",
            "in asynchronous mode UFFD_FEATURE_SIGBUS fails nothing on an armed page, not even of the kernel's",
            rules: "F2 F5",
            on: MemoryKind.all,
            needs: Need.rwp
        ) { (context) throws(Failure) in
            let protected = try Protected(context, async: true, features: .sigbus)
            try protected.showTrap()
            try protected.armAll()
            try protected.memory.check("read while armed")
            try protected.expectAccessed([0, 1, 2, 3], "read")
            try expectResolved(protected)
        },
        Scenario(
            "rwp-message-async-user-mode-only",
            "in asynchronous mode UFFD_USER_MODE_ONLY fails no access of the kernel's to an armed page",
            rules: "F2 F5",
            on: MemoryKind.all,
            needs: Need.rwp
        ) { (context) throws(Failure) in
            let protected = try Protected(context, async: true, flags: [.nonblocking, .userModeOnly])
            try protected.showTrap()
            try expectResolved(protected)
        },
    ]

    private static func sigbus(_ context: Context) throws(Failure) {
        let protected = try Protected(context, async: false, features: .sigbus)
        let memory = protected.memory
        try protected.armAll()
        for probe in [Probe.read(memory.address(memory.firstPage(1))), Probe.write(memory.address(0), 1)] {
            try context.expectEqual(probe.signal, SIGBUS, "signal of an access of an armed page")
            try context.expectEqual(probe.code, Int32(BUS_ADRERR), "its si_code")
            context.sawTrap()
        }
        try Missing.expectKernelFault(context, memory.address(memory.firstPage(2)))
        try protected.expectAccessed([], "after SIGBUS")
        try protected.expectNoMessage("after SIGBUS")
        try protected.resolve(0..<4)
        try memory.check("at the end")
    }

    private static func userModeOnly(_ context: Context) throws(Failure) {
        let protected = try Protected(context, async: false, flags: [.nonblocking, .userModeOnly])
        let memory = protected.memory
        try protected.armAll()
        let (pipe, place) = (try Pipe(), memory.address(memory.firstPage(1)))
        try context.expectErrno(.fault, "write(2) from an armed page") { () throws(Failure) in
            try pipe.send(from: place, count: 1)
        }
        try Missing.expectKernelFault(context, place)
        try protected.expectNoMessage("an access by the kernel")
        try protected.expectAccessed([], "after EFAULT")
        try protected.expectTrap(1, .read)
    }

    /// Arms every chunk and lets the kernel access each in another way, all of which it resolves by itself.
    private static func expectResolved(_ protected: Protected) throws(Failure) {
        let (context, memory) = (protected.context, protected.memory)
        try protected.armAll()
        let places = (0..<4).map { memory.address(memory.firstPage($0)) }
        let pipe = try Pipe()
        try pipe.send(from: places[0], count: 1)
        let count = read(pipe.reader, UnsafeMutableRawPointer(bitPattern: places[1] + 100), 1)
        try context.expectEqual(count, 1, "read(2) into an armed page")
        var word: UInt64 = 0
        try transferWord(of: getpid(), at: places[2], &word, write: false)
        try checked("vmsplice", cuffd_vmsplice(pipe.writer, places[3], 8))
        try protected.expectAccessed([0, 1, 2, 3], "after accesses of the kernel's")
        try protected.expectNoMessage("asynchronous traps")
        try context.expectEqual(cuffd_load8(places[1] + 100), cuffd_load8(places[0]), "the byte through the pipe")
        try context.expectEqual(word, cuffd_load64(places[2]), "the word of process_vm_readv(2)")
        try memory.check("at the end")
    }
}
