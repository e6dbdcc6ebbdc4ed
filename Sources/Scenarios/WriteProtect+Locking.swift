// SPDX-License-Identifier: GPL-2.0-only

import CUserfaultfd
import Userfaultfd

/// Protection beside mlock(2), which keeps pages where they are and populates what it locks.
extension WriteProtect {
    static let locking: [Scenario] = [
        tracked(
            "wp-mlock",
            "Locked pages can be protected and trap; reclaim and MADV_DONTNEED are refused, munlock(2) changes nothing.",
            on: MemoryKind.withoutHugetlb,
            protected: false
        ) { (context, tracked) throws(Failure) in
            let memory = tracked.memory
            try memory.lock()
            try tracked.protect()
            try tracked.showTrap(1)
            for advice in [MADV_DONTNEED, 21 /* MADV_PAGEOUT, 5.4 */] {
                try context.expectErrno(.invalid, "madvise \(advice) of locked memory") { () throws(Failure) in
                    try memory.advise(memory.range, advice)
                }
            }
            try tracked.expectProtected(0..<memory.pages, "while locked")
            try memory.check("while locked")
            try memory.unlock()
            try tracked.expectProtected(0..<memory.pages, "after munlock")
            try tracked.expectTrap(2)
        },
        tracked(
            "wp-mlock-protected",
            "mlock(2) of protected memory takes protection away by traps alone: private pages, which it wants writable.",
            needs: [.root]
        ) { (context, tracked) throws(Failure) in
            let memory = tracked.memory
            try tracked.showTrap(1)
            let monitor = try Monitor(tracked.uffd) { (message) throws(Failure) in
                guard case .pageFault(let address, [.write, .writeProtect], _) = message else {
                    throw Failure("unexpected \(message.description)")
                }
                try tracked.uffd.writeProtect(AddressRange(start: address, length: memory.pageSize), false)
            }
            try memory.lock()
            try monitor.stop()
            let resolved = context.kind.isShared ? 0 : memory.pages
            try context.expectEqual(monitor.messages, UInt64(resolved), "messages of mlock(2)")
            try tracked.expectProtected(resolved..<memory.pages, "after mlock(2)")
            try memory.check("after mlock(2)")
            try tracked.protect()
            try tracked.expectTrap(2)
        },
        Scenario(
            "wp-mlock-writable",
            "A locked private mapping that becomes writable gets copies of the file's pages, registered or not.",
            on: [.shmemPrivate],
            needs: [.features(Tracked.features), .root]
        ) { (context) throws(Failure) in
            let uffd = try Userfaultfd(features: Tracked.features)
            for mode: RegisterMode in [[], .missing, .writeProtect] {
                let memory = try Memory(context.kind, pages: 4)
                let file = try memory.alias()
                file.fill()
                if mode != [] { try uffd.register(memory.range, mode) }
                try memory.protect(memory.range, PROT_READ)
                try memory.lock()
                let frames = try file.frames()
                try context.expect(try memory.frames() == frames, "mode \(mode.rawValue): not the file's pages")
                try memory.protect(memory.range, PROT_READ | PROT_WRITE)
                let copies = try memory.frames()
                for page in 0..<4 {
                    let isCopy = copies[page] != 0 && copies[page] != frames[page]
                    try context.expect(isCopy, "mode \(mode.rawValue): page \(page) is not copied")
                }
                try memory.check("mode \(mode.rawValue)")
                try context.expectNoMessage(uffd, "mode \(mode.rawValue)")
                guard mode == .writeProtect else { continue }
                try uffd.writeProtect(memory.range)
                let writer = try Access.write(memory, 1, offset: 100, 1)
                try context.expectFault(uffd, at: memory.address(1), [.writeProtect, .write])
                try uffd.writeProtect(memory.range, false)
                try writer.finish()
            }
        },
    ]
}

extension Memory {
    /// mlock(2) of all of it.
    fileprivate func lock() throws(Failure) {
        let code = mlock(UnsafeRawPointer(bitPattern: range.start), Int(range.length))
        if code != 0 { throw Failure(call: "mlock", code: cuffd_errno()) }
    }

    /// munlock(2) of all of it.
    fileprivate func unlock() throws(Failure) {
        let code = munlock(UnsafeRawPointer(bitPattern: range.start), Int(range.length))
        if code != 0 { throw Failure(call: "munlock", code: cuffd_errno()) }
    }
}
