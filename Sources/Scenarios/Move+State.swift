// SPDX-License-Identifier: GPL-2.0-only

import CUserfaultfd
import Userfaultfd

/// `UFFDIO_MOVE` and the state bits of a page, and races with it.
extension Move {
    static let stateScenarios: [Scenario] = [
        Scenario(
            "move-wp",
            "A write-protected page arrives writable at its new address, and its old one is not protected either.",
            on: MemoryKind.anonymous,
            needs: [.features([.move, .writeProtect])],
            writeProtect
        ),
        Scenario(
            "move-soft-dirty",
            "A moved page is soft-dirty at its new address, so that a checkpoint does not miss it.",
            on: MemoryKind.anonymous,
            needs: needs + [.softDirty],
            softDirty
        ),
        Scenario(
            "move-race",
            "Of two threads that move the same pages exactly one succeeds for each, and no page is lost.",
            on: MemoryKind.anonymous,
            needs: needs,
            seconds: 60,
            race
        ),
        Scenario(
            "move-race-access",
            "Threads that read pages while these move back and forth find their data, once the fault is resolved.",
            on: [.anon],
            needs: needs,
            seconds: 60,
            raceWithAccess
        ),
        Scenario(
            "move-race-swap",
            "Pages that are being swapped out while they move back and forth keep their data.",
            on: [.anon],
            needs: needs + [.swap],
            seconds: 60,
            raceWithSwap
        ),
    ]

    private static func writeProtect(_ context: Context) throws(Failure) {
        let (uffd, source, target) = try open(
            context,
            pages: 2,
            [.missing, .writeProtect],
            features: .writeProtect
        )
        try uffd.register(source.range, [.missing, .writeProtect])
        try uffd.writeProtect(source.page(1))
        let blocked = try Access.write(source, 1, offset: 64, 1)
        try context.expectFault(uffd, at: source.address(1), [.writeProtect, .write])
        try uffd.writeProtect(source.page(1), false)
        try blocked.finish()

        try uffd.writeProtect(source.page(1))
        try context.expect(source.entry(1).isUffd, "pagemap does not show the source write-protected")
        try uffd.move(to: target.page(1), from: source.address(1))
        try context.expect(!target.entry(1).isUffd, "pagemap shows a moved page write-protected")
        target.store(1, offset: 64, 2)
        try context.expectNoMessage(uffd, "after a write to a moved page")
        try context.expectEqual(target.load(1, offset: 64), 2, "byte written")
        try target.check(1..<2, "after MOVE")
        let reader = try Access.write(source, 1, offset: 64, 3)
        try context.expectFault(uffd, at: source.address(1), .write)
        try uffd.copyPattern(source, 1)
        try reader.finish()
        try source.check(0..<2, "after COPY where a page was moved away")

        try uffd.writeProtect(target.page(1))
        let writer = try Access.write(target, 1, offset: 64, 4)
        try context.expectFault(uffd, at: target.address(1), [.writeProtect, .write])
        try uffd.writeProtect(target.page(1), false)
        try writer.finish()
    }

    private static func softDirty(_ context: Context) throws(Failure) {
        let (uffd, source, target) = try open(context, pages: 2)
        try SoftDirty.clear()
        try context.expect(!source.entry(0).isSoftDirty, "the source is soft-dirty after clear_refs")
        try resolve(context, uffd, 0, of: source, to: target)
        try context.expect(target.entry(0).isSoftDirty, "a moved page is not soft-dirty")
        try SoftDirty.clear()
        try context.expect(!target.entry(0).isSoftDirty, "a moved page is soft-dirty after clear_refs")
        target.store(0, offset: 64, 1)
        try context.expect(target.entry(0).isSoftDirty, "a moved page is not soft-dirty after a write")
    }

    private static func race(_ context: Context) throws(Failure) {
        let count = 64
        let (uffd, source, target) = try open(context, pages: count)
        let reader = try Access.read(target, count / 2)
        try context.expectFault(uffd, at: target.address(count / 2), [])
        let wins = Words(count)
        var threads: [Thread] = []
        for index in 0..<2 {
            threads.append(
                try Thread { () throws(Failure) in
                    for step in 0..<count {
                        let page = index == 0 ? step : count - 1 - step
                        do throws(Failure) {
                            try uffd.move(to: target.page(page), from: source.address(page))
                            wins.add(1, at: page)
                        } catch {
                            // The other thread has moved it, wholly or in part: the destination is populated, or the
                            // source is empty. Splitting a huge page that the other holds is EBUSY or EAGAIN: again.
                            if error.errno == .exists || error.errno == .noEntry { continue }
                            guard error.errno == .busy || error.errno == .again else { throw error }
                            while try source.entry(page).isPresent {
                                do throws(Failure) {
                                    try uffd.move(to: target.page(page), from: source.address(page))
                                    wins.add(1, at: page)
                                } catch {
                                    let known: [Errno] = [.exists, .noEntry, .busy, .again]
                                    guard let errno = error.errno, known.contains(errno) else { throw error }
                                }
                            }
                        }
                    }
                }
            )
        }
        for thread in threads { try thread.join() }
        try reader.finish()
        for page in 0..<count { try context.expectEqual(wins[page], 1, "threads that moved page \(page)") }
        try target.check(0..<count, "after all MOVEs")
        for page in 0..<count {
            try context.expect(!source.entry(page).isPresent, "page \(page) of the source is still there")
        }
    }

    /// Moves each of some pages from one memory to the other and back; how often in all.
    private static func shuttle(
        _ uffd: Userfaultfd,
        _ source: Memory,
        _ target: Memory,
        pages: Int,
        rounds: Int
    ) throws(Failure) {
        for _ in 0..<rounds {
            for (from, to) in [(source, target), (target, source)] {
                for page in 0..<pages { try move(uffd, page, from, to) }
            }
        }
    }

    /// Moves a page, again while it is busy: reclaim, or a thread that reads it, may hold its folio for a moment.
    private static func move(_ uffd: Userfaultfd, _ page: Int, _ from: Memory, _ to: Memory) throws(Failure) {
        while true {
            do throws(Failure) {
                try uffd.move(to: to.page(page), from: from.address(page))
                return
            } catch {
                guard error.errno == .busy || error.errno == .again else { throw error }
                sched_yield()
            }
        }
    }

    private static func raceWithAccess(_ context: Context) throws(Failure) {
        let count = 8
        let (uffd, source, target) = try open(context, pages: count)
        // Accesses to an address that a page has just left wait until it is back.
        try uffd.register(source.range, .missing)
        let blocked = try Access.read(target, 0)
        try context.expectFault(uffd, at: target.address(0), [])
        let ended = Words(1)
        var threads: [Thread] = []
        for memory in [source, target] {
            threads.append(
                try Thread { () throws(Failure) in
                    while ended[0] == 0 {
                        for page in 0..<count { try memory.check(page..<(page + 1), "while pages move") }
                        sched_yield()
                    }
                }
            )
        }
        try shuttle(uffd, source, target, pages: count, rounds: 20)
        ended[0] = 1
        // Both places get the data, so that nobody waits any more; messages need no answer but this.
        for page in 0..<count { try uffd.copyPattern(target, page) }
        for thread in threads { try thread.join() }
        try blocked.finish()
        try source.check(0..<count, "after all MOVEs")
    }

    private static func raceWithSwap(_ context: Context) throws(Failure) {
        let count = 8
        let (uffd, source, target) = try open(context, pages: count)
        // Pages move back as well.
        try uffd.register(source.range, .missing)
        let reader = try Access.read(target, count - 1)
        try context.expectFault(uffd, at: target.address(count - 1), [])
        let ended = Words(1)
        let swapper = try Thread { () throws(Failure) in
            let pageout: Int32 = 21  // MADV_PAGEOUT, 5.4
            while ended[0] == 0 {
                try source.advise(source.range, pageout)
                try target.advise(target.range, pageout)
                // On a loaded machine the pages would be locked for reclaim most of the time.
                sched_yield()
            }
        }
        for round in 0..<8 {
            try shuttle(uffd, source, target, pages: count, rounds: 2)
            try source.check(0..<count, "after round \(round)")
        }
        ended[0] = 1
        try swapper.join()
        try uffd.copyPattern(target, count - 1)
        try reader.finish()
        try source.check(0..<count, "after all MOVEs")
    }
}
