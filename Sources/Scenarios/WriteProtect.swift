// SPDX-License-Identifier: GPL-2.0-only

import CUserfaultfd
import Userfaultfd

/// Write protection (`UFFDIO_REGISTER_MODE_WP`): the older sibling of RWP, which shares its PTE bit and most of the
/// paths that RWP touches. These scenarios pass on a kernel without RWP: they are the baseline for regressions.
enum WriteProtect {
    static let scenarios: [Scenario] =
        messages + waiting + handling + async + unpopulated + markers + scanning + scanningLimits + forking
        + pinnedForking + swapping + migrating + splitting + merging + remapping + protection + locking + pinning
        + balancing + leaving + devices + RWPFilling.writeProtect
}

extension WriteProtect {
    /// A scenario of memory that is registered for write protection, and all protected when `body` begins.
    ///
    /// It needs the features that its userfaultfd asks for, besides `needs`.
    static func tracked(
        _ name: StaticString,
        _ summary: StaticString,
        on kinds: [MemoryKind] = MemoryKind.all,
        needs: [Need] = [],
        features: Features = [],
        mode: RegisterMode = .writeProtect,
        populated: Bool = true,
        protected: Bool = true,
        flags: Userfaultfd.OpenFlags = [.nonblocking],
        _ body: @escaping @Sendable (Context, Tracked) throws(Failure) -> Void
    ) -> Scenario {
        let all = Tracked.features.union(features)
        return Scenario(name, summary, on: kinds, needs: [.features(all)] + needs) { (context) throws(Failure) in
            let tracked = try Tracked(context, features: all, mode: mode, populated: populated, flags: flags)
            if protected { try tracked.protect() }
            try body(context, tracked)
        }
    }

    /// A scenario of memory that is tracked asynchronously: all is protected and nothing written when `body` begins.
    static func asynchronous(
        _ name: StaticString,
        _ summary: StaticString,
        on kinds: [MemoryKind] = MemoryKind.all,
        needs: [Need] = [],
        populated: Bool = true,
        _ body: @escaping @Sendable (Context, Tracked) throws(Failure) -> Void
    ) -> Scenario {
        tracked(
            name,
            summary,
            on: kinds,
            needs: [.pagemapScan] + needs,
            features: Tracked.asyncFeatures,
            populated: populated
        ) { (context, tracked) throws(Failure) in
            try tracked.expectWritten([], "after protecting")
            try body(context, tracked)
        }
    }
}

/// Memory that is registered for write protection, and its userfaultfd.
struct Tracked: Sendable {
    let uffd: Userfaultfd
    let memory: Memory
    let context: Context

    /// What every kernel in question has: write protection of all memory kinds.
    static let features: Features = [.writeProtect, .writeProtectFiles]
    /// What asynchronous tracking asks for; the kernel adds WP_UNPOPULATED by itself.
    static let asyncFeatures: Features = [.writeProtect, .writeProtectFiles, .writeProtectAsync]

    /// Maps memory of the scenario's kind and registers it; `populated` fills it with its pattern first.
    init(
        _ context: Context,
        pages: Int = 4,
        features: Features = [],
        mode: RegisterMode = .writeProtect,
        populated: Bool = true,
        flags: Userfaultfd.OpenFlags = [.nonblocking]
    ) throws(Failure) {
        self.context = context
        uffd = try Userfaultfd(features: Tracked.features.union(features), flags: flags)
        memory = try Memory(context.kind, pages: pages)
        if populated { try memory.populate() }
        try uffd.register(memory.range, mode)
    }

    /// Write-protects some pages, or all.
    func protect(_ pages: Range<Int>? = nil) throws(Failure) {
        try uffd.writeProtect(memory.pages(pages ?? 0..<memory.pages))
    }

    /// Resolves some pages, or all.
    func resolve(_ pages: Range<Int>? = nil, dontWake: Bool = false) throws(Failure) {
        try uffd.writeProtect(memory.pages(pages ?? 0..<memory.pages), false, dontWake: dontWake)
    }

    /// A thread that writes a byte, which blocks it when the page is protected.
    func writer(_ page: Int, offset: UInt = 0, _ value: UInt8) throws(Failure) -> Thread {
        let memory = self.memory
        return try Thread { () throws(Failure) in memory.store(page, offset: offset, value) }
    }

    /// Takes the next message, which must be a write-protection fault of this page.
    func expectMessage(_ page: Int, file: StaticString = #fileID, line: UInt = #line) throws(Failure) {
        let fault = try uffd.nextFault()
        try context.expectEqual(fault.address, memory.address(page), "address of the fault", file: file, line: line)
        let expected: FaultFlags = [.write, .writeProtect]
        try context.expectEqual(fault.flags.rawValue, expected.rawValue, "flags of the fault", file: file, line: line)
        context.sawTrap()
    }

    /// Writes a byte, which must trap, and resolves the page; the byte must then be there.
    func expectTrap(
        _ page: Int,
        offset: UInt = 0,
        _ value: UInt8 = 0xA5,
        file: StaticString = #fileID,
        line: UInt = #line
    ) throws(Failure) {
        let thread = try writer(page, offset: offset, value)
        try expectMessage(page, file: file, line: line)
        try context.expect(!thread.isFinished, "the write went through", file: file, line: line)
        try resolve(page..<(page + 1))
        try thread.join()
        try context.expectEqual(memory.load(page, offset: offset), value, "byte written", file: file, line: line)
        try expectQuiet("after the write was resolved", file: file, line: line)
    }

    /// Shows that the traps of the scenario fire, on a page, and puts the page back as it was: pattern and protection.
    func showTrap(_ page: Int = 0, seed: UInt64 = 1) throws(Failure) {
        try expectTrap(page)
        memory.fill(page..<(page + 1), seed: seed)
        try protect(page..<(page + 1))
    }

    /// Fails if there is a message.
    func expectQuiet(
        _ when: @autoclosure () -> String,
        file: StaticString = #fileID,
        line: UInt = #line
    ) throws(Failure) {
        if let message = try uffd.poll() {
            throw Failure("\(file):\(line): \(when()): unexpected \(message.description)")
        }
    }

    /// Writes a byte on the calling thread, which must not trap: a trap would block it for good.
    func expectNoTrap(_ page: Int, offset: UInt = 0, _ value: UInt8 = 0x5A) throws(Failure) {
        memory.store(page, offset: offset, value)
        try context.expectEqual(memory.load(page, offset: offset), value, "byte written")
        try expectQuiet("after a write to page \(page), which is not protected")
    }

    /// Fails unless pagemap has the bit (57) of exactly these of all pages.
    func expectProtected(
        _ pages: Range<Int>,
        _ when: @autoclosure () -> String,
        file: StaticString = #fileID,
        line: UInt = #line
    ) throws(Failure) {
        try memory.expectUffdBit(on: pages, context, when(), file: file, line: line)
    }
}

extension Memory {
    /// Fails unless pagemap has the uffd bit (57) of exactly the pages for which `expected` says so, of all pages or of a
    /// part of them.
    func expectUffdBit(
        _ when: @autoclosure () -> String,
        of part: Range<Int>? = nil,
        _ expected: (Int) -> Bool
    ) throws(Failure) {
        let pagemap = try Pagemap()
        defer { pagemap.close() }
        for page in part ?? 0..<pages {
            let isUffd = try pagemap.entry(address(page)).isUffd
            if isUffd == expected(page) { continue }
            let state = isUffd ? "has bit 57" : "lacks bit 57"
            throw Failure("\(when()): page \(page) of \(kind.name) \(state) in pagemap")
        }
    }

    /// Fails unless pagemap has the uffd bit (57) of exactly these of all pages, or of a part of them.
    func expectUffdBit(
        on expected: Range<Int>,
        of part: Range<Int>? = nil,
        _ context: Context,
        _ when: @autoclosure () -> String,
        file: StaticString = #fileID,
        line: UInt = #line
    ) throws(Failure) {
        try expectUffdBit("\(file):\(line): \(when())", of: part) { expected.contains($0) }
    }
}
