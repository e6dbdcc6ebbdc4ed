// SPDX-License-Identifier: GPL-2.0-only

import CUserfaultfd
import Userfaultfd

/// What `UFFDIO_MOVE` refuses, and leaves as it was.
extension Move {
    static let refusedScenarios: [Scenario] = [
        Scenario(
            "move-holes",
            "A hole in the source is ENOENT, or is skipped with ALLOW_SRC_HOLES and stays missing at the destination.",
            on: MemoryKind.anonymous,
            needs: needs,
            holes
        ),
        Scenario(
            "move-exists",
            "MOVE over a page is EEXIST, tells its progress and loses nothing; so is a MOVE onto itself.",
            on: MemoryKind.anonymous,
            needs: needs,
            exists
        ),
        Scenario(
            "move-overlap",
            "Pages can be moved within one mapping, down over ranges that overlap.",
            on: [.anon],
            needs: needs,
            overlap
        ),
        Scenario(
            "move-forked",
            "Pages shared with a child are EBUSY; when the child is gone and a write made them exclusive, they move.",
            on: MemoryKind.anonymous,
            needs: needs,
            forked
        ),
        Scenario(
            "move-pinned",
            "A page pinned for DMA, or a huge page of which a part is, is EBUSY and moves when it is unpinned.",
            on: MemoryKind.anonymous,
            needs: needs + [.gupTest],
            pinned
        ),
        Scenario(
            "move-kinds",
            "File memory cannot be moved: EINVAL, and the data stays.",
            on: MemoryKind.files,
            needs: needs,
            traps: false,
            kinds
        ),
        Scenario(
            "move-vmas",
            "MOVE needs VMAs alike in protection and mlock(2), writable, and a destination that is registered.",
            on: MemoryKind.anonymous,
            needs: needs,
            vmas
        ),
    ]

    private static func holes(_ context: Context) throws(Failure) {
        let (uffd, source, target) = try open(context, pages: 4)
        try source.advise(source.page(1), MADV_DONTNEED)
        try context.expectErrno(.noEntry, "MOVE of a hole") { () throws(Failure) in
            try uffd.move(to: target.page(1), from: source.address(1))
        }
        try expectProgress(context, 1, uffd, target.pages(0..<3), from: source.address(0))
        try uffd.move(to: target.pages(1..<3), from: source.address(1), .allowSourceHoles)
        try target.check(0..<1, "before the hole")
        try target.check(2..<3, "behind the hole")
        let reader = try Access.read(target, 1)
        try context.expectFault(uffd, at: target.address(1), [])
        try uffd.copyPattern(target, 1)
        try reader.finish()
        try target.check(0..<3, "after COPY into the hole")
    }

    /// Shows that a MOVE of several pages stops after so many with EAGAIN.
    private static func expectProgress(
        _ context: Context,
        _ pages: Int,
        _ uffd: Userfaultfd,
        _ range: AddressRange,
        from source: UInt
    ) throws(Failure) {
        var progress: Int64 = -1
        try context.expectErrno(.again, "MOVE that is stopped half-way") { () throws(Failure) in
            do throws(Failure) {
                try uffd.move(to: range, from: source)
            } catch {
                progress = error.progress
                throw error
            }
        }
        try context.expectEqual(progress, Int64(pages) * Int64(basePageSize), "bytes moved")
    }

    private static func exists(_ context: Context) throws(Failure) {
        let (uffd, source, target) = try open(context, pages: 4)
        try uffd.copyPattern(target, 2, seed: 2)
        let reader = try Access.read(target, 1)
        try context.expectFault(uffd, at: target.address(1), [])
        try context.expectErrno(.exists, "MOVE over a page") { () throws(Failure) in
            try uffd.move(to: target.page(2), from: source.address(2))
        }
        try context.expectWaiters(uffd, 1, "after a refused MOVE")
        try expectProgress(context, 2, uffd, target.pages(0..<4), from: source.address(0))
        try reader.finish()
        try target.check(0..<2, "what was moved")
        try target.check(2..<3, seed: 2, "the page in the way")
        try source.check(2..<4, "what was not moved")
        try context.expectErrno(.exists, "MOVE of a page onto itself") { () throws(Failure) in
            try uffd.move(to: target.page(2), from: target.address(2))
        }
        try target.check(2..<3, seed: 2, "after a MOVE onto itself")
    }

    private static func overlap(_ context: Context) throws(Failure) {
        let (uffd, source, target) = try open(context, pages: 5)
        try uffd.move(to: target.pages(2..<5), from: source.address(2))
        let reader = try Access.read(target, 0)
        try context.expectFault(uffd, at: target.address(0), [])
        try context.expectErrno(.exists, "MOVE up over itself") { () throws(Failure) in
            try uffd.move(to: target.pages(3..<5), from: target.address(2))
        }
        try uffd.move(to: target.pages(0..<3), from: target.address(2))
        try reader.finish()
        for page in 0..<3 {
            let word = cuffd_load64(try source.pattern(of: page + 2).range.start)
            try context.expectEqual(cuffd_load64(target.address(page)), word, "first word of page \(page)")
        }
        for page in 3..<5 { try context.expect(!target.entry(page).isPresent, "page \(page) is still there") }
    }

    private static func forked(_ context: Context) throws(Failure) {
        let (uffd, source, target) = try open(context, pages: 2)
        var ends: [Int32] = [0, 0]
        try checked("pipe", pipe(&ends))
        let (output, input) = (ends[0], ends[1])
        let child = try Child { () throws(Failure) in
            close(input)
            var byte: UInt8 = 0
            _ = read(output, &byte, 1)
            try source.check(0..<2, "the child's pages")
            return 0
        }
        let reader = try Access.read(target, 1)
        try context.expectFault(uffd, at: target.address(1), [])
        try context.expectErrno(.busy, "MOVE of a page shared with a child") { () throws(Failure) in
            try uffd.move(to: target.page(1), from: source.address(1))
        }
        try context.expectErrno(.busy, "MOVE of the whole, shared with a child") { () throws(Failure) in
            try uffd.move(to: target.range, from: source.range.start)
        }
        try context.expectWaiters(uffd, 1, "after a refused MOVE")
        close(input)
        try child.waitForSuccess()
        try source.check("after refused MOVEs")
        // Exclusive again by the write, which need not copy any more, or copies one page of a huge one.
        source.fill(0..<2)
        try uffd.move(to: target.page(1), from: source.address(1))
        try reader.finish()
        try target.check(1..<2, "after MOVE")
    }

    private static func pinned(_ context: Context) throws(Failure) {
        let (uffd, source, target) = try open(context, pages: 2)
        let device = try checked("open of gup_test", cuffd_open("/sys/kernel/debug/gup_test", O_RDWR, 0))
        let pinForWriting: UInt32 = 1
        var pin = pin_longterm_test(addr: UInt64(source.address(1)), size: UInt64(basePageSize), flags: pinForWriting)
        try checked("PIN_LONGTERM_TEST_START", cuffd_ioctl(device, CUFFD_PIN_LONGTERM_START, &pin))
        let reader = try Access.read(target, 1)
        try context.expectFault(uffd, at: target.address(1), [])
        // All of a huge page: the kernel tries again and again to split one of which a part is to move, while it is pinned.
        let pages = context.kind.isTHP ? 0..<source.pages : 1..<2
        let from = source.address(pages.lowerBound)
        try context.expectErrno(.busy, "MOVE of a pinned page") { () throws(Failure) in
            try uffd.move(to: target.pages(pages), from: from)
        }
        try context.expectWaiters(uffd, 1, "after a refused MOVE")
        try source.check("after refused MOVEs")
        try checked("PIN_LONGTERM_TEST_STOP", cuffd_ioctl(device, CUFFD_PIN_LONGTERM_STOP, nil))
        try uffd.move(to: target.pages(pages), from: from)
        try reader.finish()
        try target.check(pages, "after MOVE")
    }

    private static func kinds(_ context: Context) throws(Failure) {
        let file = try Memory(context.kind, pages: 1)
        let unit = Int(file.range.length / basePageSize)
        let anonymous = try Memory(.anon, pages: unit)
        let uffd = try Userfaultfd(features: .move)
        try uffd.register(anonymous.range, .missing)
        file.fill()
        try context.expectErrno(.invalid, "MOVE from file memory") { () throws(Failure) in
            try uffd.move(to: anonymous.range, from: file.range.start)
        }
        try file.check("after a refused MOVE")
        let hole = try Memory(context.kind, pages: 1)
        try uffd.register(hole.range, .missing)
        let source = try Memory(.anon, pages: unit)
        source.fill()
        try context.expectErrno(.invalid, "MOVE to file memory") { () throws(Failure) in
            try uffd.move(to: hole.range, from: source.range.start)
        }
        try source.check("after a refused MOVE")
    }

    private static func vmas(_ context: Context) throws(Failure) {
        let (uffd, source, target) = try open(context, pages: 2)
        let refuse = { (_ what: StaticString) throws(Failure) in
            try context.expectErrno(.invalid, what.text) { () throws(Failure) in
                try uffd.move(to: target.page(1), from: source.address(1))
            }
        }
        try source.protect(source.range, PROT_READ)
        try refuse("MOVE from a read-only VMA")
        try target.protect(target.range, PROT_READ)
        try refuse("MOVE between read-only VMAs")
        try source.protect(source.range, PROT_READ | PROT_WRITE)
        try refuse("MOVE to a read-only VMA")
        try target.protect(target.range, PROT_READ | PROT_WRITE)
        try checked("mlock", mlock(UnsafeRawPointer(bitPattern: source.range.start), Int(source.range.length)))
        try refuse("MOVE from an mlocked VMA to another")
        try checked("munlock", munlock(UnsafeRawPointer(bitPattern: source.range.start), Int(source.range.length)))
        try context.expectErrno(.invalid, "MOVE to an unregistered VMA") { () throws(Failure) in
            try uffd.move(to: source.page(0), from: source.address(1))
        }
        let gone = try Memory(context.kind, pages: 1)
        try gone.unmap()
        try context.expectErrno(.noEntry, "MOVE from an unmapped range") { () throws(Failure) in
            try uffd.move(to: target.page(1), from: gone.range.start)
        }
        try context.expectErrno(.noEntry, "MOVE to an unmapped range") { () throws(Failure) in
            try uffd.move(to: gone.page(0), from: source.address(1))
        }
        try source.check("after refused MOVEs")
        try resolve(context, uffd, 1, of: source, to: target)
    }
}
