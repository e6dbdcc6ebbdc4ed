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
        let filled = Words(count)
        let monitor = try Monitor(uffd) { message throws(Failure) in
            guard case .pageFault(let address, _, _) = message else {
                throw Failure("unexpected \(message.description)")
            }
            let page = Int((address - memory.range.start) / memory.pageSize)
            if filled.add(1, at: page) == 0 {
                try uffd.copyPattern(memory, page)
            } else {
                // The message of a second waiter, which COPY may have woken before it was read.
                try uffd.wake(memory.page(page))
            }
        }
        var threads: [Thread] = []
        for index in 0..<4 {
            threads.append(
                try Thread { () throws(Failure) in
                    for step in 0..<count {
                        // An odd stride visits each page of a power of two once.
                        let page = (step * (2 * index + 1) + index * count / 4) % count
                        try memory.check(page..<(page + 1), "in thread \(index)")
                        memory.store(page, offset: 64 + UInt(index), UInt8(index + 1))
                    }
                }
            )
        }
        for thread in threads { try thread.join() }
        try monitor.stop()
        try memory.check(0..<count, "after all threads")
        for page in 0..<count {
            try context.expect(filled[page] > 0, "page \(page) was never missing")
            for index in 0..<4 {
                try context.expectEqual(memory.load(page, offset: 64 + UInt(index)), UInt8(index + 1), "mark")
            }
        }
        context.sawTrap()
    }
}
