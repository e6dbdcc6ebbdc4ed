// SPDX-License-Identifier: GPL-2.0-only

import Scenarios
import Userfaultfd

/// hugetlb pages of the default size (`Documentation/admin-guide/mm/hugetlbpage.rst`).
enum HugePages {
    /// Reserves so many pages on each NUMA node with memory; a node that does not give them all is a failure.
    static func reserve(onEachNode count: Int) throws(Failure) {
        let size = try Memory.hugePageSize(.hugetlb) >> 10
        for node in FileAccess.numbers(in: "/sys/devices/system/node", prefix: "node") {
            let path = "/sys/devices/system/node/node\(node)/hugepages/hugepages-\(size)kB/nr_hugepages"
            guard FileAccess.exists(path) else { continue }
            try FileAccess.write(path, "\(count)")
            let got = try FileAccess.number(path)
            if got != count { throw Failure("node \(node) has \(got) of \(count) huge pages of \(size) kB") }
        }
    }

    /// How many are free now; nil on a kernel without hugetlb.
    static var free: Int? { Requirements.meminfo("HugePages_Free:") }

    /// A failure where fewer are free than before a scenario, whose process is gone.
    static func leaks(since before: Int) -> [RunFailure] {
        guard let now = free, now < before else { return [] }
        return [RunFailure("leak", "\(before - now) huge pages are not free any more")]
    }
}
