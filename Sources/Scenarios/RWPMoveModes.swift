// SPDX-License-Identifier: GPL-2.0-only

import CUserfaultfd
import Userfaultfd

/// The uffd bit of pages that UFFDIO_MOVE brings from a VMA of one mode to one of another: it means something else there
/// (rule L5).
enum RWPMoveModes {
    private static let needs = Need.rwp + [.features([.move, .writeProtect])]

    static let scenarios: [Scenario] = [
        Scenario(
            "rwp-move-modes",
            "UFFDIO_MOVE from any mode to any other: armed in an RWP VMA, and no stale bit elsewhere",
            rules: "L5 S1",
            on: MemoryKind.anonymous,
            needs: needs
        ) { (context) throws(Failure) in try moves(context, swapped: false) },
        Scenario(
            "rwp-move-modes-swapped",
            "the same of swapped-out pages, whose write protection goes from WP VMA to WP VMA",
            rules: "L5 S1 L1",
            on: [.anon],
            needs: needs + [.swap]
        ) { (context) throws(Failure) in try moves(context, swapped: true) },
    ]

    private static let modes: [RegisterMode] = [
        .missing, [.missing, .writeProtect], [.missing, .readWriteProtect],
    ]

    private static func moves(_ context: Context, swapped: Bool) throws(Failure) {
        try Protected(context, async: false).showTrap()
        let uffd = try Userfaultfd(features: [.move, .writeProtect, .readWriteProtect])
        for from in modes {
            for to in modes {
                let what = "from mode \(from.rawValue) to \(to.rawValue)"
                let (source, target) = (try Memory(context.kind, chunks: 1), try Memory(context.kind, chunks: 1))
                let (all, none) = (0..<source.pages, 0..<0)
                try source.populate()
                try uffd.register(source.range, from)
                try uffd.register(target.range, to)
                try protect(uffd, source.range, from, true)
                try source.expectUffdBit(on: from == .missing ? none : all, context, "protected, \(what)")
                if swapped { try source.swapOut(all) }
                try uffd.move(to: target.range, from: source.range.start)
                // What is present arrives writable, as MOVE always had it.
                let keeps = swapped && from == to && from.contains(.writeProtect)
                let isArmed = to.contains(.readWriteProtect)
                try target.expectUffdBit(on: keeps || isArmed ? all : none, context, "moved \(what)")
                if keeps || isArmed { try protect(uffd, target.range, to, false) }
                try target.check("moved \(what)")
                target.fill(seed: 2)
                try context.expectNoMessage(uffd, "accessed, moved \(what)")
                try target.expectUffdBit(on: none, context, "accessed, moved \(what)")
                for memory in [source, target] { try memory.unmap() }
            }
        }
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
