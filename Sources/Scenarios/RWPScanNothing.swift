// SPDX-License-Identifier: GPL-2.0-only

import CUserfaultfd
import Userfaultfd

/// What a scan says of addresses where no page is (rule S2).
enum RWPScanNothing {
    static let scenarios: [Scenario] = [
        Scenario(
            "rwp-scan-untouched",
            "of memory that was never touched, and has no page tables, nothing is accessed",
            rules: "S2",
            on: MemoryKind.all,
            needs: Need.rwp,
            untouched
        ),
        hwpoison(
            "rwp-arm-hwpoison",
            "a page that the kernel took away for a memory error stays so, armed and resolved, and its neighbours as they are",
            rules: "P1 L1",
            scans: false
        ),
        hwpoison(
            "rwp-scan-hwpoison",
            "a page that the kernel took away for a memory error is not accessed",
            rules: "S2",
            scans: true
        ),
    ]

    private static func untouched(_ context: Context) throws(Failure) {
        try Protected(context, async: true).showTrap()
        let chunks = context.kind.isTHP || context.kind.isHugetlb ? 2 : 1024
        let protected = try Protected(context, async: true, chunks: chunks, populated: false)
        try protected.expectAccessed([], "never touched")
        try protected.uffd.readWriteProtect(protected.memory.range)
        try protected.expectAccessed([], "never touched, and armed")
        protected.loadAll(chunks - 1)
        try protected.expectAccessed([chunks - 1], "one touched")
    }

    private static func hwpoison(
        _ name: StaticString,
        _ what: StaticString,
        rules: StaticString,
        scans: Bool
    ) -> Scenario {
        let needs: [Need] = [
            .file("/proc/sys/vm/memory_failure_recovery", "CONFIG_MEMORY_FAILURE"), .root, .ownMachine,
        ]
        let kinds = MemoryKind.base + [.hugetlb, .hugetlbPrivate]
        return Scenario(name, what, rules: rules, on: kinds, needs: Need.rwp + needs) { (context) throws(Failure) in
            let free = freeHugePages()
            let protected = try Protected(context, async: true)
            let memory = protected.memory
            try protected.showTrap()
            try protected.armAll()
            for page in 0..<3 { memory.load(page) }
            // SIGBUS is for who asks, a child that has the same page.
            let child = try Child { () throws(Failure) in
                let poison: Int32 = 100  // MADV_HWPOISON, 2.6.32
                try memory.advise(memory.page(1), poison)
                return 0
            }
            _ = try child.wait()
            for arms in [false, true, false] {
                try protected.uffd.readWriteProtect(memory.page(1), arms)
                if !arms { try context.expect(try !memory.entry(1).isUffd, "the page taken away is armed") }
                try context.expectEqual(Probe.read(memory.address(1)).signal, SIGBUS, "signal of the page taken away")
                for page in 0..<4 where scans || page != 1 {
                    let isRight = try memory.isAccessed(page) == (page == 0 || page == 2)
                    try context.expect(isRight, "page \(page) after an error in 1")
                }
            }
            for page in [0, 2, 3] { try memory.check(page..<(page + 1), "at the end") }
            if !context.kind.isHugetlb { return }
            // The pool gets another page for the one that was taken away.
            try memory.unmap()
            let pool = "/proc/sys/vm/nr_hugepages"
            try FileAccess.write(pool, "\(try FileAccess.number(pool) + free - freeHugePages())")
        }
    }

    private static func freeHugePages() -> Int {
        Requirements.meminfo("HugePages_Free:") ?? 0
    }
}
