// SPDX-License-Identifier: GPL-2.0-only

import CUserfaultfd
import Userfaultfd

/// Everything at once on one region, for as long as asked (rules F1, F2, L1 to L6, M2).
enum RWPStress {
    static let scenarios: [Scenario] = [
        Scenario(
            "stress-rwp",
            "random work and random protection on one region: no byte is lost, no armed access passes untrapped",
            rules: "F1 F2 P1 P2 L1 L2 L3 L4 L6 L7 M2",
            on: MemoryKind.all,
            needs: Need.rwp + [.swap, .nodes(2), .root],
            seconds: 60,
            run
        )
    ]

    private static func run(_ context: Context) throws(Failure) {
        context.note("seed \(context.load.seed)")
        let region = try Region(context)
        let monitor = try Monitor(region.protected.uffd) { (message) throws(Failure) in try region.resolve(message) }
        var threads: [Thread] = []
        for index in 0..<3 { threads.append(try Thread { () throws(Failure) in try region.work(index) }) }
        threads.append(try Thread { () throws(Failure) in try region.disturb(3) })
        try region.protect(4)
        region.stop()
        for thread in threads { try thread.join() }
        try monitor.stop()
        context.note("\(region.probes) probes of armed pages, \(monitor.messages) messages")
        try context.expect(region.probes > 0, "no armed page was probed")
        region.protected.uffd.close()
        for unit in 0..<region.units { try region.checkContent(unit) }
    }
}

/// The region, and what is known of it. Its units are pages (huge ones of hugetlb), each with a lock and a count that
/// the page's first and last words must hold.
private final class Region: Sendable {
    let protected: Protected
    let units: Int
    private let memory: Memory
    /// Room to move a unit to.
    private let away: UInt
    private let context: Context
    private let end: Int
    /// For each unit: its lock (0 free), its count, and the messages that came while it was probed.
    private let locks: Words
    private let counts: Words
    private let messages: Words
    /// Whether to stop, and how many probes there were.
    private let state = Words(2)

    init(_ context: Context) throws(Failure) {
        self.context = context
        units = context.kind.isHugetlb ? 6 : 24
        (locks, counts, messages) = (Words(units), Words(units), Words(units))
        protected = try Protected(context, async: false, chunks: context.kind.isTHP ? 1 : units)
        memory = protected.memory
        away = try memory.destination()
        end = Clock.milliseconds + max(context.load.seconds, 1) * 1000
        try protected.showTrap()
        for unit in 0..<units {
            for place in [0, memory.pageSize - 8] { cuffd_store64(memory.address(page(unit)) + place, 0) }
        }
    }

    var probes: UInt64 { state[1] }
    func stop() { state[0] = 1 }
    private var isStopped: Bool { state[0] == 1 }

    /// The page of a unit: all over the huge page of a THP kind.
    private func page(_ unit: Int) -> Int { unit * (memory.pages / units) }
    private func range(_ unit: Int) -> AddressRange { memory.page(page(unit)) }

    private func tryLock(_ unit: Int) -> Bool {
        if locks.add(1, at: unit) == 0 { return true }
        locks.add(UInt64.max, at: unit)
        return false
    }
    private func unlock(_ unit: Int) { locks.add(UInt64.max, at: unit) }

    /// Runs `body` with a unit that nobody accesses; false where the unit is in use.
    private func withLock(_ unit: Int, _ body: (Int) throws(Failure) -> Void) throws(Failure) -> Bool {
        guard tryLock(unit) else { return false }
        try body(unit)
        unlock(unit)
        return true
    }

    func checkContent(_ unit: Int) throws(Failure) {
        let start = memory.address(page(unit))
        let (first, last) = (cuffd_load64(start), cuffd_load64(start + memory.pageSize - 8))
        if first != counts[unit] || last != counts[unit] {
            throw Failure("unit \(unit) has \(first) and \(last), expected \(counts[unit])")
        }
    }

    /// What the monitor does: counts the message and resolves its page.
    func resolve(_ message: Message) throws(Failure) {
        guard case .pageFault(let address, let flags, _) = message, flags.contains(.readWriteProtect) else {
            throw Failure("unexpected \(message.description)")
        }
        let page = Int((address - memory.range.start) / memory.pageSize)
        for unit in 0..<units where self.page(unit) == page { messages.add(1, at: unit) }
        do throws(Failure) {
            try protected.uffd.readWriteProtect(memory.page(page), false)
        } catch {
            // Unregistered meanwhile, which has let the waiter go on.
            if error.errno != .noEntry { throw error }
        }
    }

    /// A thread that checks and counts up random units.
    func work(_ index: Int) throws(Failure) {
        var choices = Choices(seed: context.load.seed, stream: index)
        while !isStopped {
            let unit = choices.below(units)
            let writes = choices.below(2) == 0
            _ = try withLock(unit) { (_) throws(Failure) in
                try checkContent(unit)
                guard writes else { return }
                counts[unit] += 1
                let start = memory.address(page(unit))
                cuffd_store64(start + memory.pageSize - 8, counts[unit])
                cuffd_store64(start, counts[unit])
            }
        }
    }

    /// A thread that moves pages about, none of which may cost an arm.
    func disturb(_ index: Int) throws(Failure) {
        let (pageout, cold, collapse): (Int32, Int32, Int32) = (21, 20, 25)
        var choices = Choices(seed: context.load.seed, stream: index)
        while !isStopped {
            let unit = choices.below(units)
            let whole = UnsafeMutableRawPointer(bitPattern: memory.range.start)
            switch choices.below(8) {
            case 0: try protected.uffd.wake(range(unit))
            case 1: _ = try memory.tryMove(to: choices.below(2))
            case 2: _ = madvise(whole, Int(memory.range.length), collapse)
            case 3 where context.kind.isAnonymous: try? RWPKeeps.split(memory)
            case 4: try advise(unit, cold)
            case 5 where context.kind.isAnonymous: try advise(unit, pageout)
            // Reclaim drops the mapping of a file's page, and the arm with it (L2): not while it is probed.
            case 5 where !context.kind.isHugetlb:
                _ = try withLock(unit) { (_) throws(Failure) in try advise(unit, pageout) }
            case 6: _ = try withLock(unit, fork)
            default: sched_yield()
            }
        }
    }

    /// madvise(2) of a unit, which `remap` may just have moved away (ENOMEM); hugetlb takes no such advice (EINVAL).
    private func advise(_ unit: Int, _ advice: Int32) throws(Failure) {
        do throws(Failure) {
            try memory.advise(range(unit), advice)
        } catch {
            if error.errno != .noMemory && !context.kind.isHugetlb { throw error }
        }
    }

    /// A child, which has no monitor, sees what the page holds.
    private func fork(_ unit: Int) throws(Failure) {
        let child = try Child { () throws(Failure) in
            try checkContent(unit)
            return 0
        }
        try child.waitForSuccess()
    }

    /// Arms, resolves, flips the mode and takes pages away, until the time is over; a note every few seconds.
    func protect(_ index: Int) throws(Failure) {
        var choices = Choices(seed: context.load.seed, stream: index)
        var isAsync = false
        var noted = Clock.milliseconds
        while Clock.milliseconds < end {
            if Clock.milliseconds - noted > 5000 {
                noted = Clock.milliseconds
                context.note("\(probes) probes")
            }
            let unit = choices.below(units)
            switch choices.below(12) {
            case 0...2: try protected.uffd.readWriteProtect(memory.range)
            case 3: _ = try withLock(unit) { (_) throws(Failure) in try resolve(unit) }
            case 4:
                isAsync.toggle()
                let mode: Features = .readWriteProtectAsync
                try protected.uffd.setMode(enable: isAsync ? mode : [], disable: isAsync ? [] : mode)
            case 5: _ = try withLock(unit, drop)
            case 6: _ = try withLock(unit, remap)
            case 7: _ = try withLock(unit, mprotect)
            case 8:
                try protected.uffd.unregister(memory.range)
                try protected.uffd.register(memory.range, .readWriteProtect)
            default:
                if isAsync { continue }
                // Whatever is free: most units wait for the monitor, with their worker.
                for other in 0..<units where try withLock((unit + other) % units, probe) { break }
            }
        }
        if isAsync { try protected.uffd.setMode(disable: .readWriteProtectAsync) }
    }

    private func resolve(_ unit: Int) throws(Failure) {
        try protected.uffd.readWriteProtect(range(unit), false)
    }

    private func drop(_ unit: Int) throws(Failure) {
        try memory.advise(range(unit), MADV_DONTNEED)
        if memory.descriptor >= 0 { try memory.punchHole(range(unit)) }
        counts[unit] = 0
    }

    private func mprotect(_ unit: Int) throws(Failure) {
        try memory.protect(range(unit), PROT_NONE)
        try memory.protect(range(unit), PROT_READ)
        try memory.protect(range(unit), PROT_READ | PROT_WRITE)
    }

    /// Away and back, without EVENT_REMAP: the page comes back unregistered.
    private func remap(_ unit: Int) throws(Failure) {
        let part = range(unit)
        for (from, to) in [(part.start, away), (away, part.start)] {
            try checked("mremap", cuffd_mremap(from, part.length, part.length, MREMAP_MAYMOVE | MREMAP_FIXED, to))
        }
        let flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED
        try checked("mmap", cuffd_mmap(away, part.length, PROT_NONE, flags, -1, 0))
        try protected.uffd.register(part, .readWriteProtect)
    }

    /// In sync mode, an access after arming and before any resolving has to come as a message. The unit is locked, so
    /// that this thread's is the only access, and who resolves is the monitor, for that message.
    ///
    /// The monitor may still be about to resolve the unit for a message whose waiter went on by itself; the first of
    /// two accesses lets that pass.
    private func probe(_ unit: Int) throws(Failure) {
        for isCounted in [false, true] {
            try protected.uffd.readWriteProtect(range(unit))
            // Unpopulated since it was dropped: nothing was armed (P1).
            let entry = try memory.entry(page(unit))
            guard entry.isPresent || entry.isSwapped else { return }
            let before = messages[unit]
            try checkContent(unit)
            if isCounted && messages[unit] == before {
                throw Failure("an access of armed unit \(unit) passed without a message")
            }
        }
        state.add(1, at: 1)
        context.sawTrap()
    }
}
