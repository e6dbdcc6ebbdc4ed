// SPDX-License-Identifier: GPL-2.0-only

import CUserfaultfd
import Userfaultfd

/// What a module's memory is refused, and what is refused to the module while its memory is in use.
enum UffdOpsRefused {
    /// Every set of modes that a file can be made for, but for RWP.
    private static let offers: [RegisterMode] = [
        [], .missing, .minor, .writeProtect, [.missing, .minor], [.missing, .writeProtect], [.minor, .writeProtect],
        [.missing, .minor, .writeProtect],
    ]

    static func modes(_ context: Context) throws(Failure) {
        let uffd = try Userfaultfd(features: .writeProtectFiles)
        for offered in offers {
            let memory = try UffdOpsModule.memory(pages: 1, offered)
            for wanted in offers where !wanted.isEmpty {
                let what = "modes \(wanted.rawValue) where \(offered.rawValue) are offered"
                if wanted.isSubset(of: offered) {
                    _ = try context.step(what) { () throws(Failure) in try uffd.register(memory.range, wanted) }
                    try uffd.unregister(memory.range)
                } else {
                    try context.expectErrno(.invalid, what) { () throws(Failure) in
                        try uffd.register(memory.range, wanted)
                    }
                }
            }
            memory.fill()
            try memory.check("of a file that offers modes \(offered.rawValue)")
            try memory.unmap()
        }
    }

    static func readWriteProtect(_ context: Context) throws(Failure) {
        let uffd = try Userfaultfd(features: .readWriteProtect)
        for offered in offers {
            let memory = try UffdOpsModule.memory(pages: 1, offered)
            for more in [[], offered.subtracting(.writeProtect)] {
                try context.expectErrno(.invalid, "RWP where modes \(offered.rawValue) are offered") {
                    () throws(Failure) in
                    try uffd.register(memory.range, more.union(.readWriteProtect))
                }
            }
            try memory.unmap()
        }
        let huge = try UffdOpsModule.memory(pages: 1, [.readWriteProtect, .missing], mapsHuge: true)
        try context.expectErrno(.invalid, "RWP where it is offered by who maps huge pages") { () throws(Failure) in
            try uffd.register(huge.range, .readWriteProtect)
        }
        _ = try context.step("MISSING where it is offered by who maps huge pages") { () throws(Failure) in
            try uffd.register(huge.range, .missing)
        }
        let memory = try UffdOpsModule.memory(pages: 1, .readWriteProtect)
        try context.expectErrno(.invalid, "RWP with MISSING where RWP is offered") { () throws(Failure) in
            try uffd.register(memory.range, [.readWriteProtect, .missing])
        }
        _ = try context.step("RWP where it is offered") { () throws(Failure) in
            try uffd.register(memory.range, .readWriteProtect)
        }
    }

    static func filling(_ context: Context) throws(Failure) {
        let (uffd, memory, _) = try UffdOps.registered(pages: 2, .minor)
        try context.expectErrno(.invalid, "COPY to a file that offers MINOR alone") { () throws(Failure) in
            try uffd.copyPattern(memory, 0)
        }
        try context.expectErrno(.invalid, "ZEROPAGE of a file that offers MINOR alone") { () throws(Failure) in
            try uffd.zeropage(memory.page(0))
        }
        try memory.checkZeroes(0..<1, "of the hole")
        try memory.alias().fill(1..<2)
        let reader = try Access.read(memory, 1)
        try context.expectFault(uffd, at: memory.address(1), .minor)
        try uffd.continue(memory.page(1))
        try reader.finish()
        try memory.check(1..<2, "after CONTINUE")

        let (other, holes, _) = try UffdOps.registered(pages: 1, .missing)
        let blocked = try Access.read(holes, 0)
        try context.expectFault(other, at: holes.address(0), [])
        try context.expectErrno(.fault, "CONTINUE of a hole that is registered for MISSING") { () throws(Failure) in
            try other.continue(holes.range)
        }
        try other.copyPattern(holes, 0)
        try blocked.finish()
        try holes.check("after COPY")
    }

    static func unloading(_ context: Context) throws(Failure) {
        let before = try UffdOpsModule.users()
        let (uffd, memory, _) = try UffdOps.registered(pages: 1, .minor)
        let alias = try memory.alias()
        alias.fill()
        // The registered mapping is all that is left.
        try alias.unmap()
        try context.expect(try UffdOpsModule.users() > before, "a registered mapping does not use the module")
        try context.expectErrno(.again, "unloading the module of a registered mapping", UffdOpsModule.unload)
        let reader = try Access.read(memory, 0)
        try context.expectFault(uffd, at: memory.address(0), .minor)
        try context.expectErrno(.again, "unloading the module under a blocked fault", UffdOpsModule.unload)
        try uffd.continue(memory.range)
        try reader.finish()
        try memory.check("after CONTINUE")
        uffd.close()
        try context.expectErrno(.again, "unloading the module of a mapping", UffdOpsModule.unload)
        let unmapped = munmap(UnsafeMutableRawPointer(bitPattern: memory.range.start), Int(memory.range.length))
        try context.expect(unmapped == 0, "munmap failed")
        // Files are given back behind the last system call that used them.
        while try UffdOpsModule.users() > before { sched_yield() }
        try UffdOpsModule.unload()
        try context.expect(!FileAccess.exists("/dev/\(UffdOpsModule.name)"), "the device outlives its module")
        try UffdOpsModule.load()
        try context.expect(FileAccess.exists("/dev/\(UffdOpsModule.name)"), "there is no device after loading again")
    }

    /// A thread that waits has given up the lock that keeps its mapping, and returns into the module.
    static func unloadingUnderWaiter(_ context: Context) throws(Failure) {
        let before = try UffdOpsModule.users()
        let (uffd, memory, _) = try UffdOps.registered(pages: 1, .missing)
        let pipe = try Pipe()
        // By a system call: an access of its own would be a signal once the mapping is gone.
        let waiter = try Thread { () throws(Failure) in
            do throws(Failure) {
                try pipe.send(from: memory.address(0), count: 1)
            } catch {
                if error.errno == .fault { return }
                throw error
            }
            throw Failure("write(2) read from a mapping that is gone")
        }
        try context.expectFault(uffd, at: memory.address(0), [])
        try waitAsleep(waiter)
        try memory.unmap()
        try context.expectErrno(.again, "unloading the module under a thread that waits in it", UffdOpsModule.unload)
        uffd.close()
        try waiter.join()
        while try UffdOpsModule.users() > before { sched_yield() }
        try UffdOpsModule.unload()
        try UffdOpsModule.load()
    }
}
