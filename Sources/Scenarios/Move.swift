// SPDX-License-Identifier: GPL-2.0-only

import CUserfaultfd
import Userfaultfd

/// `UFFDIO_MOVE`: pages of private anonymous memory change their address without a copy (ioctl_userfaultfd(2)).
enum Move {
    static let scenarios: [Scenario] =
        [
            Scenario(
                "move-resolve",
                "MOVE resolves a blocked missing fault with the very frame of the source, which is then empty.",
                rules: "L5",
                on: MemoryKind.anonymous,
                needs: needs + [.root],
                resolve
            ),
            Scenario(
                "move-dontwake",
                "MOVE with DONTWAKE moves the page and leaves the waiter asleep until WAKE.",
                on: MemoryKind.anonymous,
                needs: needs,
                dontWake
            ),
            Scenario(
                "move-source-traps",
                "The source of a MOVE that is registered too is missing afterwards and traps.",
                on: MemoryKind.anonymous,
                needs: needs,
                sourceTraps
            ),
            Scenario(
                "move-many",
                "MOVE of many pages keeps each one's data and frame.",
                on: MemoryKind.anonymous,
                needs: needs + [.root],
                many
            ),
            Scenario(
                "move-huge",
                "MOVE of a whole huge page keeps it huge, its data and its frame.",
                rules: "L5",
                on: [.anonTHP],
                needs: needs + [.root, .pagemapScan],
                huge
            ),
            Scenario(
                "move-huge-part",
                "MOVE of part of a huge page splits it; both parts keep their data.",
                on: [.anonTHP],
                needs: needs + [.pagemapScan],
                hugePart
            ),
            Scenario(
                "move-swapped",
                "MOVE of pages that are swapped out moves their swap entries; they come back with their data.",
                rules: "L5",
                on: MemoryKind.anonymous,
                needs: needs + [.swap],
                swapped
            ),
            Scenario(
                "move-zero",
                "MOVE of the zero page, small and huge, arrives as zeroes that can be written to.",
                rules: "L5",
                on: MemoryKind.anonymous,
                needs: needs,
                zero
            ),
        ] + refusedScenarios + stateScenarios

    static let needs: [Need] = [.features(.move)]

    /// Two memories of a kind: a source in which pages 0, 1, … are filled, and a destination registered for MISSING.
    static func open(
        _ context: Context,
        pages: Int,
        _ mode: RegisterMode = .missing,
        features: Features = []
    ) throws(Failure) -> (uffd: Userfaultfd, source: Memory, target: Memory) {
        let source = try Memory(context.kind, pages: pages)
        let target = try Memory(context.kind, pages: pages)
        let uffd = try Userfaultfd(features: features.union(.move))
        let ioctls = try uffd.register(target.range, mode)
        try context.expect(ioctls.contains(.move), "REGISTER does not offer MOVE")
        try source.populate()
        return (uffd, source, target)
    }

    /// Shows that a page of the target is missing, and resolves it by MOVE of the same page of the source.
    static func resolve(
        _ context: Context,
        _ uffd: Userfaultfd,
        _ page: Int,
        of source: Memory,
        to target: Memory
    ) throws(Failure) {
        let reader = try Access.read(target, page)
        try context.expectFault(uffd, at: target.address(page), [])
        try uffd.move(to: target.page(page), from: source.address(page))
        try reader.finish()
        try target.check(page..<(page + 1), "after MOVE")
        try context.expect(!source.entry(page).isPresent, "page \(page) of the source is still there after MOVE")
    }

    private static func resolve(_ context: Context) throws(Failure) {
        let (uffd, source, target) = try open(context, pages: 4)
        // A huge source is split first, or the frame is another's by then.
        try resolve(context, uffd, 0, of: source, to: target)
        let frame = try source.entry(1).frame
        let writer = try Access.write(target, 1, offset: 64, 5)
        try context.expectFault(uffd, at: target.address(1), .write)
        try uffd.move(to: target.page(1), from: source.address(1))
        try writer.finish()
        try context.expect(frame != 0, "the frame of the source is not known")
        try context.expectEqual(target.entry(1).frame, frame, "frame after MOVE")
        try context.expectEqual(target.load(1, offset: 64), 5, "byte written")
        try target.check(0..<2, "after MOVE")
        try source.checkZeroes(0..<2, "the source after MOVE")
        try source.check(2..<4, "what was not moved")
        try context.expect(!target.entry(2).isPresent, "MOVE of page 1 filled page 2")
        try context.expectNoMessage(uffd, "after accesses to moved pages")
    }

    private static func dontWake(_ context: Context) throws(Failure) {
        let (uffd, source, target) = try open(context, pages: 2)
        let reader = try Access.read(target, 1)
        try context.expectFault(uffd, at: target.address(1), [])
        try uffd.move(to: target.page(1), from: source.address(1), .dontWake)
        try context.expect(target.entry(1).isPresent, "MOVE with DONTWAKE moved nothing")
        try uffd.wake(target.page(0))
        try context.expectWaiters(uffd, 1, "after MOVE with DONTWAKE and WAKE of another page")
        try context.expect(!reader.isFinished, "the access went on before WAKE")
        try uffd.wake(target.page(1))
        try reader.finish()
        try target.check(1..<2, "after WAKE")
    }

    private static func sourceTraps(_ context: Context) throws(Failure) {
        let (uffd, source, target) = try open(context, pages: 2)
        try uffd.register(source.range, .missing)
        try uffd.move(to: target.page(1), from: source.address(1))
        let reader = try Access.read(source, 1)
        try context.expectFault(uffd, at: source.address(1), [])
        try uffd.move(to: source.page(1), from: target.address(1))
        try reader.finish()
        try source.check(0..<2, "moved there and back")
        let again = try Access.read(target, 1)
        try context.expectFault(uffd, at: target.address(1), [])
        try uffd.copyPattern(target, 1, seed: 2)
        try again.finish()
        try target.check(1..<2, seed: 2, "after COPY where a page was moved away")
    }

    private static func many(_ context: Context) throws(Failure) {
        let count = 32
        let (uffd, source, target) = try open(context, pages: count + 2)
        // Splits a huge source, so that the frames below are those that move.
        try resolve(context, uffd, count, of: source, to: target)
        let frames = try (0..<count).map { page throws(Failure) in try source.entry(page).frame }
        try uffd.move(to: target.pages(0..<count), from: source.address(0))
        for page in 0..<count {
            try context.expect(frames[page] != 0, "no frame of page \(page) is known")
            try context.expectEqual(target.entry(page).frame, frames[page], "frame of page \(page)")
            try context.expect(!source.entry(page).isPresent, "page \(page) of the source is still there")
        }
        try target.check(0..<(count + 1), "after MOVE")
        try source.check((count + 1)..<(count + 2), "what was not moved")
        target.fill(0..<count, seed: 2)
        try target.check(0..<count, seed: 2, "written to after MOVE")
        try context.expectNoMessage(uffd, "after accesses to moved pages")
    }

    private static func huge(_ context: Context) throws(Failure) {
        let (uffd, source, target) = try open(context, pages: 1)
        let frame = try source.entry(0).frame
        let reader = try Access.read(target, 3)
        try context.expectFault(uffd, at: target.address(3), [])
        try uffd.move(to: target.range, from: source.range.start)
        try reader.finish()
        try context.expect(target.isHuge(0..<target.pages), "MOVE split a huge page")
        try context.expect(frame != 0, "the frame of the source is not known")
        try context.expectEqual(target.entry(0).frame, frame, "frame after MOVE")
        try target.check("after MOVE")
        try context.expect(!source.entry(0).isPresent, "the source is still there after MOVE")
        target.fill(seed: 2)
        try target.check(seed: 2, "written to after MOVE")
        try source.checkZeroes(0..<4, "the source after MOVE")
        try context.expectNoMessage(uffd, "after accesses to moved pages")
    }

    private static func hugePart(_ context: Context) throws(Failure) {
        let (uffd, source, target) = try open(context, pages: 1)
        let middle = source.pages / 2
        try resolve(context, uffd, middle, of: source, to: target)
        try context.expect(!source.isHuge(0..<source.pages), "a huge page without one of its pages")
        try uffd.move(to: target.pages(0..<8), from: source.address(0))
        // Not to the same offset in the huge page.
        try uffd.move(to: target.pages(16..<24), from: source.address(32))
        try target.check(0..<8, "after MOVE")
        for page in 16..<24 {
            try context.expectEqual(
                cuffd_load64(target.address(page)),
                cuffd_load64(try source.pattern(of: page + 16).range.start),
                "first word of page \(page)"
            )
        }
        try source.check(8..<32, "what was not moved")
        try source.check(40..<middle, "what was not moved")
        try source.check((middle + 1)..<source.pages, "what was not moved")
        try context.expectNoMessage(uffd, "after accesses to moved pages")
    }

    private static func swapped(_ context: Context) throws(Failure) {
        let (uffd, source, target) = try open(context, pages: 4)
        try source.swapOut(0..<3)
        let reader = try Access.read(target, 1)
        try context.expectFault(uffd, at: target.address(1), [])
        try uffd.move(to: target.pages(0..<3), from: source.address(0))
        try reader.finish()
        for page in 0..<3 {
            let entry = try source.entry(page)
            try context.expect(!entry.isPresent && !entry.isSwapped, "page \(page) of the source is still there")
        }
        try target.check(0..<3, "after MOVE")
        try source.check(3..<4, "what was not moved")
        target.fill(0..<3, seed: 2)
        try target.swapOut(0..<3)
        try target.check(0..<3, seed: 2, "swapped out and in again at its new address")
        try context.expectNoMessage(uffd, "after accesses to moved pages")
    }

    private static func zero(_ context: Context) throws(Failure) {
        let (uffd, _, target) = try open(context, pages: 2)
        let source = try Memory(context.kind, pages: target.pages)
        // Reads alone: the zero page, and for a THP kind the huge one.
        try source.checkZeroes(0..<2, "the source")
        let reader = try Access.read(target, 1)
        try context.expectFault(uffd, at: target.address(1), [])
        try uffd.move(to: target.page(1), from: source.address(1))
        try context.expectEqual(reader.finish(), 0, "byte read")
        try target.checkZeroes(1..<2, "after MOVE")
        target.fill(1..<2)
        try target.check(1..<2, "written to after MOVE")
        try source.checkZeroes(0..<2, "the source after a write to the target")
        if context.kind.isTHP {
            let (whole, other) = (try Memory(context.kind, pages: 1), try Memory(context.kind, pages: 1))
            try uffd.register(whole.range, .missing)
            try other.checkZeroes(0..<1, "the source")
            try uffd.move(to: whole.range, from: other.range.start)
            try whole.checkZeroes(0..<whole.pages, "after MOVE of the huge zero page")
            whole.fill()
            try whole.check("written to after MOVE")
            try other.checkZeroes(0..<other.pages, "the source after a write to the target")
        }
        try context.expectNoMessage(uffd, "after accesses to moved pages")
    }
}
