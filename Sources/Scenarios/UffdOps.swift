// SPDX-License-Identifier: GPL-2.0-only

import CUserfaultfd
import Userfaultfd

/// Memory of a kernel module that takes part in userfaultfd by `vm_uffd_ops` of its own, without core mm knowing it.
enum UffdOps {
    static let scenarios: [Scenario] = [
        scenario("uffd-ops-missing", "A hole of the module's file sends MISSING; COPY and ZEROPAGE fill it.", missing),
        scenario(
            "uffd-ops-missing-private",
            "COPY to a private mapping is anonymous memory: the file keeps its hole.",
            missingPrivate
        ),
        scenario("uffd-ops-minor", "A page of the file that is not mapped sends MINOR; CONTINUE maps it.", minor),
        scenario(
            "uffd-ops-both",
            "With MINOR and MISSING the message tells a page of the file from a hole.",
            both
        ),
        scenario("uffd-ops-copy-exists", "COPY where the file has a page is EEXIST and changes nothing.", copyExists),
        scenario("uffd-ops-close", "Closing the userfaultfd lets blocked threads have what the module gives.", close),
        scenario("uffd-ops-fork", "A child without EVENT_FORK gets the module's pages without a message.", fork),
        scenario(
            "uffd-ops-refused",
            "Each mode that the file does not offer is EINVAL.",
            needs: [.features(Tracked.features)],
            traps: false,
            UffdOpsRefused.modes
        ),
        scenario(
            "uffd-ops-refused-rwp",
            "RWP is EINVAL where the file does not offer it.",
            rules: "G1",
            needs: Need.rwp,
            traps: false,
            UffdOpsRefused.readWriteProtect
        ),
        scenario(
            "uffd-ops-refused-fill",
            "COPY and ZEROPAGE are EINVAL where the module offers MINOR alone; CONTINUE of a hole is EFAULT.",
            UffdOpsRefused.filling
        ),
        scenario(
            "uffd-ops-wp",
            "A file that offers WP can be write-protected, synchronously.",
            needs: [.features(Tracked.features)],
            writeProtect
        ),
        scenario(
            "uffd-ops-rwp-sync",
            "A file that offers RWP can be armed; reads and writes trap.",
            rules: "F1 P1 P2",
            needs: Need.rwp,
            readWriteProtect
        ),
        scenario(
            "uffd-ops-rwp-async",
            "A file that offers RWP can be armed and scanned.",
            rules: "F2 S2",
            needs: Need.rwp,
            readWriteProtectAsync
        ),
        scenario(
            "uffd-ops-unload",
            "The module cannot be unloaded while a mapping of it is registered, and can be afterwards.",
            needs: UffdOpsModule.unloadable,
            UffdOpsRefused.unloading
        ),
        scenario(
            "uffd-ops-unload-waiter",
            "The module cannot be unloaded under a thread that waits in its fault handler, its mapping gone.",
            needs: UffdOpsModule.unloadable,
            UffdOpsRefused.unloadingUnderWaiter
        ),
    ]

    private static func scenario(
        _ name: StaticString,
        _ summary: StaticString,
        rules: StaticString = "",
        needs: [Need] = [],
        traps: Bool = true,
        _ body: @escaping @Sendable (Context) throws(Failure) -> Void
    ) -> Scenario {
        Scenario(name, summary, rules: rules, needs: UffdOpsModule.needs + needs, traps: traps, body)
    }

    /// Memory of the module's, registered, and what the ioctl said can be done with it.
    static func registered(
        pages: Int,
        _ modes: RegisterMode,
        shared: Bool = true,
        features: Features = []
    ) throws(Failure) -> (uffd: Userfaultfd, memory: Memory, ioctls: Ioctls) {
        let memory = try UffdOpsModule.memory(pages: pages, modes, shared: shared)
        let uffd = try Userfaultfd(features: features)
        return (uffd, memory, try uffd.register(memory.range, modes))
    }

    private static func missing(_ context: Context) throws(Failure) {
        let (uffd, memory, ioctls) = try registered(pages: 4, .missing)
        try context.expect(ioctls.contains([.copy, .zeropage, .wake]), "REGISTER does not offer COPY and ZEROPAGE")
        try context.expect(!ioctls.contains(.continue), "REGISTER for MISSING offers CONTINUE")
        let reader = try Access.read(memory, 1, offset: 0x123)
        try context.expectFault(uffd, at: memory.address(1), [])
        try uffd.copyPattern(memory, 1)
        try reader.finish()
        let writer = try Access.write(memory, 2, offset: 64, 9)
        try context.expectFault(uffd, at: memory.address(2), .write)
        try uffd.zeropage(memory.page(2))
        try writer.finish()
        try memory.check(1..<2, "after COPY")
        try context.expectEqual(memory.load(2, offset: 64), 9, "byte written to a zeroed page")
        try context.expectNoMessage(uffd, "after accesses to filled pages")
        // It is the file that was filled, for everybody.
        let alias = try memory.alias()
        try alias.check(1..<2, "through another mapping")
        try context.expectEqual(alias.load(2, offset: 64), 9, "byte read through another mapping")
        try alias.checkZeroes(3..<4, "of a hole, through a mapping that is not registered")
        alias.store(1, offset: 64, 0x5A)
        try context.expectEqual(memory.load(1, offset: 64), 0x5A, "byte written through another mapping")
    }

    private static func missingPrivate(_ context: Context) throws(Failure) {
        let (uffd, memory, _) = try registered(pages: 2, .missing, shared: false)
        let reader = try Access.read(memory, 1)
        try context.expectFault(uffd, at: memory.address(1), [])
        try uffd.copyPattern(memory, 1)
        try reader.finish()
        try memory.check(1..<2, "after COPY")
        try memory.alias().checkZeroes(1..<2, "of the file")
        memory.fill(1..<2, seed: 2)
        try memory.check(1..<2, seed: 2, "written")
        try memory.alias().checkZeroes(1..<2, "of the file, after a write to the private mapping")
    }

    private static func minor(_ context: Context) throws(Failure) {
        let (uffd, memory, ioctls) = try registered(pages: 4, .minor)
        try context.expect(ioctls.contains(.continue), "REGISTER for MINOR does not offer CONTINUE")
        let alias = try memory.alias()
        alias.fill(0..<3)
        let reader = try Access.read(memory, 1, offset: 64)
        try context.expectFault(uffd, at: memory.address(1), .minor)
        alias.store(1, offset: 64, 0x5A)
        try uffd.continue(memory.page(1))
        try context.expectEqual(reader.finish(), 0x5A, "byte read")
        let writer = try Access.write(memory, 2, offset: 64, 7)
        try context.expectFault(uffd, at: memory.address(2), [.minor, .write])
        try uffd.continue(memory.page(2))
        try writer.finish()
        try context.expectEqual(alias.load(2, offset: 64), 7, "byte read through the other mapping")
        try memory.check(1..<3, "after CONTINUE")
        try context.expectErrno(.fault, "CONTINUE over a hole") { () throws(Failure) in
            try uffd.continue(memory.page(3))
        }
        try memory.checkZeroes(3..<4, "of a hole, without MISSING")
        try context.expectNoMessage(uffd, "after accesses to mapped pages and to a hole")
    }

    private static func both(_ context: Context) throws(Failure) {
        let (uffd, memory, _) = try registered(pages: 3, [.missing, .minor])
        try memory.alias().fill(1..<2)
        let first = try Access.read(memory, 1)
        try context.expectFault(uffd, at: memory.address(1), .minor)
        try uffd.continue(memory.page(1))
        try first.finish()
        let second = try Access.read(memory, 2)
        try context.expectFault(uffd, at: memory.address(2), [])
        try uffd.copyPattern(memory, 2)
        try second.finish()
        try memory.check(1..<3, "after CONTINUE and COPY")
        try context.expectNoMessage(uffd, "after accesses to mapped pages")
    }

    private static func copyExists(_ context: Context) throws(Failure) {
        let (uffd, memory, _) = try registered(pages: 2, [.missing, .minor])
        try memory.alias().fill(seed: 2)
        try context.expectErrno(.exists, "COPY where the file has a page") { () throws(Failure) in
            try uffd.copyPattern(memory, 1)
        }
        let reader = try Access.read(memory, 1)
        try context.expectFault(uffd, at: memory.address(1), .minor)
        try uffd.continue(memory.page(1))
        try reader.finish()
        try memory.check(1..<2, seed: 2, "after COPY failed")
        try context.expectErrno(.exists, "COPY where a page is mapped") { () throws(Failure) in
            try uffd.copyPattern(memory, 1)
        }
        try memory.check(1..<2, seed: 2, "after COPY failed again")
    }

    private static func close(_ context: Context) throws(Failure) {
        let (uffd, memory, _) = try registered(pages: 2, [.missing, .minor])
        try memory.alias().fill(1..<2)
        let hole = try Access.read(memory, 0)
        try context.expectFault(uffd, at: memory.address(0), [])
        let page = try Access.read(memory, 1)
        try context.expectFault(uffd, at: memory.address(1), .minor)
        uffd.close()
        try hole.finish()
        try page.finish()
        try memory.checkZeroes(0..<1, "of the hole")
        try memory.check(1..<2, "of the page")
    }

    private static func fork(_ context: Context) throws(Failure) {
        let (uffd, memory, _) = try registered(pages: 2, [.missing, .minor])
        try memory.alias().fill(1..<2)
        let reader = try Access.read(memory, 1)
        try context.expectFault(uffd, at: memory.address(1), .minor)
        let child = try Child { () throws(Failure) in
            // Would block forever if either sent a message: the watchdog tells.
            try memory.check(1..<2, "in the child")
            try memory.checkZeroes(0..<1, "in the child")
            return 0
        }
        try child.waitForSuccess()
        try uffd.continue(memory.page(1))
        try reader.finish()
        try context.expectNoMessage(uffd, "accesses of the child")
    }

    private static func writeProtect(_ context: Context) throws(Failure) {
        let (uffd, memory, ioctls) = try registered(pages: 2, .writeProtect, features: .writeProtectFiles)
        try context.expect(ioctls.contains(.writeProtect), "REGISTER for WP does not offer WRITEPROTECT")
        memory.fill()
        try uffd.writeProtect(memory.range)
        try memory.check("write-protected")
        let writer = try Access.write(memory, 1, offset: 64, 3)
        try context.expectFault(uffd, at: memory.address(1), [.write, .writeProtect])
        try uffd.writeProtect(memory.page(1), false)
        try writer.finish()
        try context.expectEqual(memory.load(1, offset: 64), 3, "byte written")
        try context.expect(memory.entry(0).isUffd, "resolving page 1 resolved page 0")
        try memory.check("at the end")
    }

    private static func readWriteProtect(_ context: Context) throws(Failure) {
        let (uffd, memory, ioctls) = try registered(
            pages: 3,
            .readWriteProtect,
            features: .readWriteProtect
        )
        try context.expect(ioctls.contains(.readWriteProtect), "REGISTER for RWP does not offer RWPROTECT")
        memory.fill(0..<2)
        try uffd.readWriteProtect(memory.range)
        let reader = try Access.read(memory, 0)
        try context.expectFault(uffd, at: memory.address(0), .readWriteProtect)
        try uffd.readWriteProtect(memory.page(0), false)
        try reader.finish()
        let writer = try Access.write(memory, 1, offset: 64, 3)
        try context.expectFault(uffd, at: memory.address(1), [.readWriteProtect, .write])
        try uffd.readWriteProtect(memory.page(1), false)
        try writer.finish()
        try memory.check(0..<2, "resolved")
        try memory.checkZeroes(2..<3, "of a hole, which cannot be armed")
        try context.expectNoMessage(uffd, "after all are resolved")
    }

    private static func readWriteProtectAsync(_ context: Context) throws(Failure) {
        let (uffd, memory, _) = try registered(
            pages: 4,
            .readWriteProtect,
            features: [.readWriteProtect, .readWriteProtectAsync]
        )
        memory.fill(0..<3)
        try uffd.readWriteProtect(memory.range)
        let pagemap = try Pagemap()
        defer { pagemap.close() }
        let hot = ScanQuery(all: .accessed, report: .accessed)
        try context.expect(try pagemap.scan(memory.range, hot).regions.isEmpty, "an armed page is accessed")
        memory.load(1)
        let regions = try pagemap.scan(memory.range, hot).regions
        try context.expect(regions == [PageRegion(range: memory.page(1), categories: .accessed)], "page 1 alone is hot")
        context.sawTrap()
        try memory.check(0..<3, "at the end")
    }
}
