// SPDX-License-Identifier: GPL-2.0-only

import CUserfaultfd
import Userfaultfd

/// Merging and unmerging while some of the pages are in use (rule B1).
enum RWPKsmBusy {
    static let scenarios: [Scenario] = [
        scenario("rwp-ksm-busy", async: false, "ksmd beside a monitor and threads that access: no arm or byte is lost"),
        scenario("rwp-ksm-busy-async", async: true, "ksmd beside threads that access: no arm or byte is lost"),
    ]

    private static func scenario(_ name: StaticString, async: Bool, _ what: StaticString) -> Scenario {
        Scenario(name, what, rules: "B1 F1 F2", on: [.anon, .anonTHP, .shmemPrivate], needs: Need.rwp + KSM.needs) {
            (context) throws(Failure) in
            let merged = try Merged(context, async: async, zero: false)
            let (protected, memory) = (merged.protected, merged.memory)
            let monitor = async ? nil : try pages(protected)
            let stop = Words(1)
            // Threads use the pages from the second half on; a byte of each counts up, and comes back down so that the
            // pages are the same again.
            var threads: [Thread] = []
            for index in 0..<2 {
                threads.append(
                    try Thread { () throws(Failure) in
                        while stop[0] == 0 {
                            for page in stride(from: 10 + index, to: Merged.count, by: 2) {
                                for value: UInt8 in [1, 0x55] {
                                    memory.store(page, offset: 200, value)
                                    if memory.load(page, offset: 200) != value {
                                        throw Failure("page \(page) lost a write")
                                    }
                                }
                            }
                        }
                    }
                )
            }
            for round in 0..<10 {
                try KSM.start()
                try memory.advise(memory.range, MADV_MERGEABLE)
                // Those that nobody uses are merged for certain.
                var frames = try memory.frames()[..<9]
                while frames.contains(where: { $0 != frames[0] }) {
                    sched_yield()
                    frames = try memory.frames()[..<9]
                }
                try protected.uffd.readWriteProtect(memory.range)
                try protected.uffd.readWriteProtect(memory.page(Merged.unarmed), false)
                if round % 2 == 0 {
                    try memory.advise(memory.range, MADV_UNMERGEABLE)
                } else {
                    try KSM.unmergeAll()
                }
                frames = try memory.frames()[..<9]
                for page in 0..<9 {
                    let entry = try memory.entry(page)
                    try context.expect(entry.isUffd, "round \(round): page \(page) lost its arm")
                    try context.expect(
                        !frames[..<page].contains(frames[page]),
                        "round \(round): page \(page) is shared"
                    )
                }
            }
            stop[0] = 1
            for thread in threads { try thread.join() }
            try monitor?.stop()
            try merged.expectData("at the end")
        }
    }

    /// A monitor that resolves the page of every trap.
    private static func pages(_ protected: Protected) throws(Failure) -> Monitor {
        let memory = protected.memory
        return try Monitor(protected.uffd) { (message) throws(Failure) in
            guard case .pageFault(let address, _, _) = message else {
                throw Failure("unexpected \(message.description)")
            }
            try protected.uffd.readWriteProtect(
                memory.page(Int((address - memory.range.start) / memory.pageSize)),
                false
            )
        }
    }
}
