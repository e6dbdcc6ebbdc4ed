// SPDX-License-Identifier: GPL-2.0-only

import CUserfaultfd
import Userfaultfd

/// Asynchronous write protection: the kernel resolves by itself, and who wrote is read from the page tables.
extension WriteProtect {
    static let async: [Scenario] = [
        asynchronous(
            "wp-async-write",
            "A write to a protected page sends no message and is reported, for that page alone."
        ) { (context, tracked) throws(Failure) in
            try tracked.expectNoTrap(1, offset: tracked.memory.pageSize - 1)
            try tracked.expectWritten([1], "after one write")
            context.sawTrap()
            try tracked.memory.check(2..<tracked.memory.pages, "pages that nobody wrote")
            try tracked.protect()
            try tracked.expectWritten([], "after protecting again")
            try tracked.expectNoTrap(3)
            try tracked.expectWritten([3], "after a write to another page")
        },
        asynchronous(
            "wp-async-read",
            "Reads of protected pages are not reported."
        ) { (_, tracked) throws(Failure) in
            try tracked.memory.check("while protected")
            try tracked.expectWritten([], "after reads")
            try tracked.showAsyncTrap(1)
        },
        asynchronous(
            "wp-async-edges",
            "One byte at each end of a page reports that page and neither neighbour."
        ) { (context, tracked) throws(Failure) in
            for page in [0, 2, tracked.memory.pages - 1] {
                for offset in [0, tracked.memory.pageSize - 1] {
                    try tracked.protect()
                    try tracked.expectWritten([], "after protecting")
                    try tracked.expectNoTrap(page, offset: offset)
                    try tracked.expectWritten([page], "after a write at offset \(offset)")
                    context.sawTrap()
                }
            }
        },
        asynchronous(
            "wp-async-all",
            "When every page is written, every page is reported and holds what was written."
        ) { (context, tracked) throws(Failure) in
            tracked.memory.fill(seed: 2)
            try tracked.expectWritten(Array(0..<tracked.memory.pages), "after writing all pages")
            context.sawTrap()
            try tracked.memory.check(seed: 2, "after writing all pages")
            try tracked.expectProtected(0..<0, "after writing all pages")
        },
        asynchronous(
            "wp-async-threads",
            "Eight threads write one protected page at once: no message, every byte lands, one page is reported."
        ) { (context, tracked) throws(Failure) in
            let memory = tracked.memory
            for round in 0..<4 {
                try tracked.protect()
                try tracked.expectWritten([], "after protecting")
                let start = Words(1)
                var threads: [Thread] = []
                for index in 0..<8 {
                    threads.append(
                        try Thread { () throws(Failure) in
                            while start[0] == 0 { sched_yield() }
                            memory.store(1, offset: UInt(100 + index), UInt8(index + round))
                        }
                    )
                }
                start[0] = 1
                for thread in threads { try thread.join() }
                for index in 0..<8 {
                    let value = memory.load(1, offset: UInt(100 + index))
                    try context.expectEqual(value, UInt8(index + round), "byte of thread \(index)")
                }
                try tracked.expectQuiet("in asynchronous mode")
                try tracked.expectWritten([1], "after eight writes to one page")
                context.sawTrap()
            }
        },
        asynchronous(
            "wp-async-kernel",
            "A write of the kernel's to a protected page, read(2) into it, is reported like the program's own."
        ) { (context, tracked) throws(Failure) in
            let memory = tracked.memory
            let pipe = try Pipe()
            try tracked.protect()
            try tracked.expectWritten([], "after protecting")
            try pipe.send(from: memory.address(2), count: 64)
            try tracked.expectWritten([], "after a write(2) from a protected page")
            try pipe.receive(to: memory.address(1), count: 64)
            try tracked.expectWritten([1], "after a read(2) into a protected page")
            context.sawTrap()
            try context.expectEqual(memory.load(1), memory.load(2), "first byte read")
        },
        asynchronous(
            "wp-async-unpopulated",
            "Unpopulated pages can be protected: reading one reports nothing, writing one reports it.",
            populated: false
        ) { (context, tracked) throws(Failure) in
            try tracked.memory.checkZeroes(0..<2, "before any write")
            try tracked.expectWritten([], "after reads")
            try tracked.expectNoTrap(1)
            try tracked.expectNoTrap(3)
            try tracked.expectWritten([1, 3], "after writes to a page read before and to a fresh one")
            context.sawTrap()
        },
    ]

    /// What asynchronous scenarios need: the mode, and the scan that reads its result.
    static let needsAsync: [Need] = [.features(Tracked.asyncFeatures), .pagemapScan]
}

extension Tracked {
    /// Which pages PAGEMAP_SCAN reports as written.
    func written() throws(Failure) -> [Int] {
        let pagemap = try Pagemap()
        defer { pagemap.close() }
        let query = ScanQuery(all: [.written], report: [.written])
        return memory.pageNumbers(try pagemap.scan(memory.range, query).regions)
    }

    /// Fails unless PAGEMAP_SCAN reports exactly these pages as written.
    func expectWritten(
        _ expected: [Int],
        _ when: @autoclosure () -> String,
        file: StaticString = #fileID,
        line: UInt = #line
    ) throws(Failure) {
        let got = try written()
        if got == expected { return }
        throw Failure("\(file):\(line): \(when()): written are \(listed(got)), expected \(listed(expected))")
    }

    /// Shows that asynchronous tracking works, on a page whose protection and byte it puts back.
    func showAsyncTrap(_ page: Int = 0) throws(Failure) {
        let value = memory.load(page)
        try protect(page..<(page + 1))
        try context.expect(try !written().contains(page), "a protected page is reported as written")
        memory.store(page, value)
        try context.expect(try written().contains(page), "a write to a protected page is not reported")
        context.sawTrap()
        try protect(page..<(page + 1))
    }
}

extension Memory {
    /// The numbers of the pages that these regions cover.
    func pageNumbers(_ regions: [PageRegion]) -> [Int] {
        var numbers: [Int] = []
        for region in regions {
            var address = region.range.start
            while address < region.range.end {
                numbers.append(Int((address - range.start) / pageSize))
                address += pageSize
            }
        }
        return numbers
    }
}

/// Page numbers in words, the first few of many: "[1, 3]".
func listed(_ numbers: [Int]) -> String {
    var words = ""
    for number in numbers.prefix(8) {
        words += words.isEmpty ? "\(number)" : ", \(number)"
    }
    return numbers.count > 8 ? "[\(words), ... \(numbers.count) in all]" : "[\(words)]"
}
