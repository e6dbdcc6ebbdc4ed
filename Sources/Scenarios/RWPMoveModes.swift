// SPDX-License-Identifier: GPL-2.0-only

import CUserfaultfd
import Userfaultfd

/// The uffd bit of pages that UFFDIO_MOVE brings from a VMA of one mode to one of another: it means something else there
/// (rule L5).
enum RWPMoveModes {
    static let scenarios: [Scenario] = [
        scenario(
            "rwp-move-modes",
            "UFFDIO_MOVE from any mode to any other: armed in an RWP VMA, and no stale bit elsewhere",
            .present
        ),
        scenario("rwp-move-modes-zero", "the same of the zero page, small and huge", .zero),
        scenario(
            "rwp-move-modes-swapped",
            "the same of swapped-out pages that go to a VMA without protection",
            .swapped,
            to: 0..<1
        ),
        scenario(
            "rwp-move-modes-swapped-wp",
            "the same of swapped-out pages that go to a WP VMA: protected if they come from one",
            .swapped,
            to: 1..<2
        ),
        scenario(
            "rwp-move-modes-swapped-rwp",
            "the same of swapped-out pages that go to an RWP VMA",
            .swapped,
            to: 2..<3
        ),
    ]

    private static let modes: [RegisterMode] = [
        .missing, [.missing, .writeProtect], [.missing, .readWriteProtect],
    ]

    private enum Source: Sendable { case present, zero, swapped }

    private static func scenario(
        _ name: StaticString,
        _ what: StaticString,
        _ state: Source,
        to targets: Range<Int> = 0..<3
    ) -> Scenario {
        let swapped = state == .swapped
        let needs = Need.rwp + [.features([.move, .writeProtect])] + (swapped ? [.swap] : [])
        return Scenario(
            name,
            what,
            rules: "L5 S1",
            on: swapped ? [.anon] : MemoryKind.anonymous,
            needs: needs
        ) { (context) throws(Failure) in
            try Protected(context, async: false).showTrap()
            let uffd = try Userfaultfd(features: [.move, .writeProtect, .readWriteProtect])
            for to in modes[targets] {
                for from in modes { try moves(context, uffd, state, from, to) }
            }
        }
    }

    private static func moves(
        _ context: Context,
        _ uffd: Userfaultfd,
        _ state: Source,
        _ from: RegisterMode,
        _ to: RegisterMode
    ) throws(Failure) {
        let what = "from mode \(from.rawValue) to \(to.rawValue)"
        let (source, target) = (try Memory(context.kind, chunks: 1), try Memory(context.kind, chunks: 1))
        let (all, none) = (0..<source.pages, 0..<0)
        if state == .zero {
            for page in all { source.load(page) }
        } else {
            try source.populate()
        }
        try uffd.register(source.range, from)
        try uffd.register(target.range, to)
        try protect(uffd, source.range, from, true)
        try source.expectUffdBit(on: from == .missing ? none : all, context, "protected, \(what)")
        if state == .swapped { try source.swapOut(all) }
        try uffd.move(to: target.range, from: source.range.start)
        // What is present arrives writable, as MOVE always had it.
        let keeps = state == .swapped && from == to && from.contains(.writeProtect)
        let isArmed = to.contains(.readWriteProtect)
        try target.expectUffdBit(on: keeps || isArmed ? all : none, context, "moved \(what)")
        if keeps || isArmed { try protect(uffd, target.range, to, false) }
        if state == .zero {
            try target.checkZeroes(all, "moved \(what)")
        } else {
            try target.check("moved \(what)")
        }
        target.fill(seed: 2)
        try context.expectNoMessage(uffd, "accessed, moved \(what)")
        try target.expectUffdBit(on: none, context, "accessed, moved \(what)")
        for memory in [source, target] { try memory.unmap() }
    }

    private static func protect(
        _ uffd: Userfaultfd,
        _ range: AddressRange,
        _ mode: RegisterMode,
        _ protects: Bool
    ) throws(Failure) {
        if mode.contains(.writeProtect) { try uffd.writeProtect(range, protects) }
        if mode.contains(.readWriteProtect) { try uffd.readWriteProtect(range, protects) }
    }
}
