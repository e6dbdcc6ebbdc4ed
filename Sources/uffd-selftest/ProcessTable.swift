// SPDX-License-Identifier: GPL-2.0-only

import CUserfaultfd
import Scenarios
import Userfaultfd

/// The processes of this machine, from /proc.
enum ProcessTable {
    /// Every process, kernel threads too. One that ends meanwhile is left out.
    static func all() -> [ProcessEntry] {
        var entries: [ProcessEntry] = []
        for number in FileAccess.numbers(in: "/proc") {
            guard let line = try? FileAccess.line("/proc/\(number)/stat"), let entry = ProcessEntry(stat: line) else {
                continue
            }
            entries.append(entry)
        }
        return entries
    }

    /// A process and all that descend from it.
    static func tree(of root: Int32) -> [ProcessEntry] {
        let all = all()
        var tree = all.filter { $0.identifier == root }
        var next = 0
        while next < tree.count {
            let parent = tree[next].identifier
            tree += all.filter { $0.parent == parent }
            next += 1
        }
        return tree
    }
}
