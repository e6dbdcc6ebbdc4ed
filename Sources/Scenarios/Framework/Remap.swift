// SPDX-License-Identifier: GPL-2.0-only

import CUserfaultfd
import Userfaultfd

/// Moving a whole mapping with mremap(2).
extension Memory {
    /// Room of the memory's length and alignment for `remapped(to:)`, with an inaccessible mapping in it.
    func destination() throws(Failure) -> UInt {
        let flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE
        // A page more on both sides keeps the VMA from merging with a neighbour.
        let start = UInt(try checked("mmap", cuffd_mmap(0, range.length + 3 * alignment, PROT_NONE, flags, -1, 0)))
        return (start + 2 * alignment - 1) / alignment * alignment
    }

    /// Moves the mapping to room of its own and gives it there. Blocks until an event of it is read.
    func remapped() throws(Failure) -> Memory {
        try remapped(to: destination())
    }

    /// Moves the mapping to `start`, which another mapping may occupy, and gives it there.
    func remapped(to start: UInt, flags: Int32 = 0) throws(Failure) -> Memory {
        let all = MREMAP_MAYMOVE | MREMAP_FIXED | flags
        try checked("mremap", cuffd_mremap(range.start, range.length, range.length, all, start))
        return moved(to: start)
    }

    /// Moves one page to `start`, which another mapping may occupy, and gives the view of it there.
    func remapped(page: Int, to start: UInt) throws(Failure) -> Memory {
        try self.page(page).move(to: start)
        return viewed(page: page, at: start)
    }

    /// The memory as if all of it had moved along with one page to `start`; only that page is there.
    func viewed(page: Int, at start: UInt) -> Memory {
        moved(to: start - (address(page) - range.start))
    }
}

extension AddressRange {
    /// mremap(2) to `place`, which another mapping may occupy. Blocks until an event of it is read.
    func move(to place: UInt) throws(Failure) {
        try checked("mremap", cuffd_mremap(start, length, length, MREMAP_MAYMOVE | MREMAP_FIXED, place))
    }
}
