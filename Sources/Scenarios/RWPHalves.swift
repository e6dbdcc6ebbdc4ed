// SPDX-License-Identifier: GPL-2.0-only

import CUserfaultfd
import Userfaultfd

/// A WP and an RWP VMA side by side, both protected. What one call does to both leaves each what it is (rules S1, S3, F3,
/// L1, L3, L6).
enum RWPHalves {
    private static let features: Features = [.writeProtect, .writeProtectFiles]

    static let scenarios: [Scenario] = [
        halves("rwp-wp-halves-mprotect", "mprotect(2) to PROT_NONE and back", rules: "F3 S1") {
            (halves) throws(Failure) in
            for protection in [PROT_NONE, PROT_READ | PROT_WRITE] {
                try halves.memory.protect(halves.memory.range, protection)
                try halves.expectBit(true, "in protection \(protection)")
            }
        },
        halves("rwp-wp-halves-fork", "fork(2) without EVENT_FORK", rules: "L3 L6") { (halves) throws(Failure) in
            let memory = halves.memory
            let child = try Child { () throws(Failure) in
                try halves.expectBit(false, "in the child")
                try memory.check("in the child")
                if !memory.kind.isShared { memory.fill(seed: 2) }
                return 0
            }
            try child.waitForSuccess()
        },
        halves(
            "rwp-wp-halves-fork-event",
            "fork(2) with EVENT_FORK",
            rules: "L3 F1",
            needs: [.root],
            features: .eventFork
        ) { (halves) throws(Failure) in try halves.forkRegistered() },
        halves("rwp-wp-halves-swap", "swap-out", rules: "L1 S1", on: RWPSwap.kinds, needs: [.swap]) {
            (halves) throws(Failure) in try halves.memory.swapOut(0..<halves.memory.pages)
        },
        Scenario(
            "rwp-wp-halves-scan",
            "PM_SCAN_WP_MATCHING over both reports and protects the WP half's written pages, and skips the RWP half",
            rules: "S2 S3",
            on: MemoryKind.all,
            needs: Need.rwp + [.features(features.union(.writeProtectAsync))],
            scan
        ),
    ]

    /// Protects both halves, of one userfaultfd and of two, in both orders. After `act` they still are; each has its
    /// traps, and loses its protection at the end.
    private static func halves(
        _ name: StaticString,
        _ what: StaticString,
        rules: StaticString,
        on kinds: [MemoryKind] = MemoryKind.all,
        needs: [Need] = [],
        features: Features = [],
        _ act: @escaping @Sendable (Halves) throws(Failure) -> Void
    ) -> Scenario {
        let features = features.union(self.features)
        let all = Need.rwp + [.features(features)] + needs
        return Scenario(name, what, rules: rules, on: kinds, needs: all) { (context) throws(Failure) in
            for (isOne, rwpFirst) in [(true, true), (true, false), (false, true), (false, false)] {
                let halves = try Halves(context, isOne: isOne, rwpFirst: rwpFirst, features)
                let (rwp, wp, memory) = (halves.protected.uffd, halves.wp, halves.memory)
                try act(halves)
                try halves.expectBit(true, "afterwards")
                try halves.expectTraps()
                if isOne && rwpFirst {
                    try rwp.unregister(memory.range)
                } else {
                    rwp.close()
                    if !isOne { wp.close() }
                }
                try halves.expectBit(false, "at the end")
                try memory.check("at the end")
                memory.fill(seed: 3)
                try memory.unmap()
            }
        }
    }

    private static func scan(_ context: Context) throws(Failure) {
        for rwpFirst in [true, false] {
            let protected = try Protected(context, async: true, features: features.union(.writeProtectAsync))
            try protected.showTrap()
            let halves = try Halves(protected, wp: protected.uffd, rwpFirst: rwpFirst)
            let memory = protected.memory
            let (read, written) = (halves.armed.lowerBound, halves.tracked.upperBound - 1)
            protected.loadAll(read)
            memory.store(memory.firstPage(written), offset: 100, 1)
            var query = ScanQuery(report: [.accessed, .written])
            query.any = [.accessed, .written]
            query.writeProtectMatching = true
            let pagemap = try Pagemap()
            defer { pagemap.close() }
            let result = try pagemap.scan(memory.range, query)
            try context.expectEqual(result.walkEnd, memory.range.end, "walk_end")
            try context.expectEqual(result.regions.count, 1, "regions")
            let region = result.regions[0]
            let isRight = region.range.start == memory.chunk(written).start && region.categories == .written
            try context.expect(isRight, "the region of what was written")
            try context.expectEqual(try pagemap.scan(memory.range, query).regions.count, 0, "regions, once protected")
            try protected.expectAccessed([read], "after the scan")
            try memory.check("at the end")
            try memory.unmap()
        }
    }
}

/// Four chunks, of which two are armed and two are write-protected.
private struct Halves: Sendable {
    /// The RWP userfaultfd, and all of the memory.
    let protected: Protected
    /// The WP userfaultfd, which may be the same.
    let wp: Userfaultfd
    /// The RWP chunks.
    let armed: Range<Int>
    /// The WP chunks.
    let tracked: Range<Int>

    var memory: Memory { protected.memory }

    init(_ context: Context, isOne: Bool, rwpFirst: Bool, _ features: Features) throws(Failure) {
        let protected = try Protected(context, async: false, features: features)
        try protected.showTrap()
        try self.init(protected, wp: isOne ? protected.uffd : Userfaultfd(features: features), rwpFirst: rwpFirst)
    }

    /// Hands one half over to WP, and protects both.
    init(_ protected: Protected, wp: Userfaultfd, rwpFirst: Bool) throws(Failure) {
        self.protected = protected
        self.wp = wp
        (armed, tracked) = rwpFirst ? (0..<2, 2..<4) : (2..<4, 0..<2)
        let part = protected.memory.chunks(tracked)
        try protected.uffd.unregister(part)
        try wp.register(part, .writeProtect)
        try protected.arm(armed)
        try wp.writeProtect(part)
    }

    /// Fails unless all pages have bit 57, or none has, and none is accessed.
    func expectBit(_ expected: Bool, _ when: String) throws(Failure) {
        try memory.expectUffdBit(when) { _ in expected }
        if expected { try protected.expectAccessed([], when) }
    }

    /// A read of the one half passes and a write traps, and a read of the other half traps.
    func expectTraps() throws(Failure) {
        for chunk in tracked { protected.loadAll(chunk) }
        try protected.expectNoMessage("reads of the WP half")
        try protected.context.expectNoMessage(wp, "reads of the WP half")
        let (chunk, page) = (tracked.upperBound - 1, memory.firstPage(tracked.upperBound - 1))
        let writer = try Access.write(memory, page, offset: 100, 1)
        try expectWrite(wp, page)
        try wp.writeProtect(memory.chunk(chunk), false)
        try writer.finish()
        try protected.expectTrap(armed.lowerBound, .read)
        try protected.arm(armed.lowerBound..<(armed.lowerBound + 1))
        try wp.writeProtect(memory.chunk(chunk))
    }

    private func expectWrite(_ uffd: Userfaultfd, _ page: Int) throws(Failure) {
        try protected.context.expectFault(uffd, at: memory.address(page), [.writeProtect, .write])
    }

    /// Forks a child that reads an armed chunk and writes a protected one; each userfaultfd has an event of its own.
    func forkRegistered() throws(Failure) {
        let isOne = wp.descriptor == protected.uffd.descriptor
        let received = Words(2)
        var readers: [Thread] = []
        let uffds = isOne ? [wp] : [wp, protected.uffd]
        for index in uffds.indices {
            let uffd = uffds[index]
            readers.append(
                try Thread { () throws(Failure) in
                    guard case .fork(let descriptor) = try uffd.next() else { throw Failure("expected a fork event") }
                    received[index] = UInt64(descriptor)
                }
            )
        }
        let (read, written) = (memory.firstPage(armed.lowerBound), memory.firstPage(tracked.lowerBound))
        let child = try Child { () throws(Failure) in
            try expectBit(true, "in the child")
            memory.load(written)
            memory.load(read)
            memory.store(written, offset: 100, 1)
            return 0
        }
        for reader in readers { try reader.join() }
        let theirs = Userfaultfd(descriptor: Int32(received[0]))
        let rwp = isOne ? theirs : Userfaultfd(descriptor: Int32(received[1]))
        try protected.context.expectFault(rwp, at: memory.address(read), .readWriteProtect)
        try rwp.readWriteProtect(memory.chunk(armed.lowerBound), false)
        try expectWrite(theirs, written)
        try theirs.writeProtect(memory.chunk(tracked.lowerBound), false)
        try child.waitForSuccess()
        theirs.close()
        if !isOne { rwp.close() }
    }
}
