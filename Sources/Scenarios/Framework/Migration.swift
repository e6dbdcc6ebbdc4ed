// SPDX-License-Identifier: GPL-2.0-only

import CUserfaultfd
import Userfaultfd

/// Moving a memory's pages between NUMA nodes (move_pages(2)).
extension Memory {
    /// Moves every present page to a node, and makes sure that all are there. A page that is busy for a moment (its
    /// reference is held by another CPU's batch) is asked again, until the scenario's watchdog ends it.
    public func move(to node: Int) throws(Failure) {
        while try !tryMove(to: node) {
            sched_yield()
        }
    }

    /// Asks for the move once; true if every present page is on the node now.
    public func tryMove(to node: Int) throws(Failure) -> Bool {
        var addresses: [UInt] = []
        for chunk in 0..<chunkCount { addresses.append(address(firstPage(chunk))) }
        var targets = [Int32](repeating: Int32(node), count: addresses.count)
        var status = [Int32](repeating: 0, count: addresses.count)
        let moveAll = 4  // MPOL_MF_MOVE_ALL
        let result = cuffd_move_pages(UInt(addresses.count), &addresses, &targets, &status, Int32(moveAll))
        if result < 0 { throw Failure(call: "move_pages", code: Int32(-result)) }
        for place in status where place != Int32(node) && place != -ENOENT { return false }
        return true
    }

    /// Runs `body` while another thread moves the pages from node to node, over and over.
    func migrating(_ body: () throws(Failure) -> Void) throws(Failure) {
        let stop = Words(1)
        let mover = try Thread { () throws(Failure) in
            var node = 0
            while stop[0] == 0 {
                node = 1 - node
                _ = try tryMove(to: node)
            }
        }
        try body()
        stop[0] = 1
        try mover.join()
    }

    /// The NUMA node that a page is on; nil where move_pages(2), which moves nothing here, finds no page.
    func node(of page: Int) throws(Failure) -> Int? {
        var (address, status): (UInt, Int32) = (address(page), 0)
        let result = cuffd_move_pages(1, &address, nil, &status, 0)
        if result < 0 { throw Failure(call: "move_pages", code: Int32(-result)) }
        return status < 0 ? nil : Int(status)
    }
}
