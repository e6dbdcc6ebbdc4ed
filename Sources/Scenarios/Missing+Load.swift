// SPDX-License-Identifier: GPL-2.0-only

import Userfaultfd

/// Many threads on many missing pages.
extension Missing {
    static let loadScenarios: [Scenario] = [
        Scenario(
            "missing-load",
            "Threads that read and write all pages in different orders find what one handler thread copies.",
            on: MemoryKind.all,
            seconds: 60,
            load
        )
    ]

    private static func load(_ context: Context) throws(Failure) {
        let count = context.kind.isHugetlb ? 4 : 64
        let memory = try Memory(context.kind, pages: count)
        let uffd = try register(memory)
        try context.fault(on: memory, first: count, uffd) { page throws(Failure) in
            try uffd.copyPattern(memory, page)
        }
    }
}
