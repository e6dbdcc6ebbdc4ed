// SPDX-License-Identifier: GPL-2.0-only

import CUserfaultfd
import Userfaultfd

/// A memory in which nothing may get lost, and threads that keep a part of it busy.
///
/// Every word of it is known: each worker has a word of its own in each unit, which it counts up and knows the value of;
/// all others are a function of their place, and stay.
final class Workload: Sendable {
    /// How many workers there are: the last may be a virtual CPU.
    static let workers = 3

    let memory: Memory
    private let context: Context
    private let guest: VirtualGuest?
    /// An odd number while accesses are tracked, another one each time; an even one in between.
    private let window = Words(1)
    /// For each unit: the last window in which it was accessed for sure.
    private let seen: Words
    /// Operations that are done; whether to stop.
    private let state = Words(2)
    /// How many operations of a worker are its share of a window.
    private let operationsPerWindow: Int

    /// Maps and fills a memory.
    init(_ context: Context, units: Int, operationsPerWindow: Int, virtual: Bool) throws(Failure) {
        self.context = context
        self.operationsPerWindow = operationsPerWindow
        memory = try Memory(context.kind, chunks: units)
        seen = Words(units)
        guest = virtual ? try VirtualGuest(memory) : nil
        try memory.populate()
        eachConstant { address, value in cuffd_store64(address, value) }
    }

    /// Starts the workers.
    func start() throws(Failure) -> [Thread] {
        var threads: [Thread] = []
        for worker in 0..<Workload.workers {
            threads.append(
                try Thread { () throws(Failure) in
                    if worker == Workload.workers - 1, let guest = self.guest {
                        try self.work(worker, guest)
                    } else {
                        try self.work(worker)
                    }
                }
            )
        }
        return threads
    }

    /// How many operations were done so far.
    var operations: UInt64 { state[0] }

    /// Tells the workers to check their words and end.
    func stop() {
        state[1] = 1
        advance(by: 2)
    }

    /// Begins a window: accesses from now on count, and the hot units are others.
    func openWindow() { advance(by: 1) }

    /// Ends it.
    func closeWindow() { advance(by: 1) }

    private func advance(by steps: UInt64) {
        window.add(steps, at: 0)
        window.wakeAll(at: 0)
    }

    /// The first of these units that was accessed, from beginning to end, within the window that was closed last.
    func firstHot(of units: [Int]) -> Int? {
        units.first { seen[$0] == window[0] - 1 }
    }

    /// Accesses units; if all of that fell into one window, marks them.
    private func access(_ units: [Int], _ body: () throws(Failure) -> Void) throws(Failure) {
        let before = window[0]
        try body()
        if before % 2 == 1 && window[0] == before {
            for unit in units { seen[unit] = before }
        }
        state.add(UInt64(units.count), at: 0)
    }

    /// What a worker has done in a window.
    private struct Share {
        var choices: Choices
        var window: UInt64 = 0
        var done = 0
    }

    /// The next unit to access, nil where the worker has done its share of this window. In an open one that is a few of
    /// any and many of the hot ones, which are others each time; in a closed one, when the pager evicts, a few of any.
    private func next(_ share: inout Share) -> Int? {
        let now = window[0]
        if now != share.window { (share.window, share.done) = (now, 0) }
        let units = memory.chunkCount
        let few = max(units / 64, 1)
        guard share.done < (now % 2 == 1 ? operationsPerWindow : few) else { return nil }
        share.done += 1
        if share.done <= few { return share.choices.below(units) }
        return (Int(now / 2) * few * 3 + share.choices.below(max(units / 16, 2))) % units
    }

    private func work(_ worker: Int) throws(Failure) {
        var expected = [UInt64](repeating: 0, count: memory.chunkCount)
        var share = Share(choices: Choices(seed: context.load.seed, stream: worker))
        while state[1] == 0 {
            guard let unit = next(&share) else {
                window.wait(while: share.window, at: 0)
                continue
            }
            try access([unit]) { () throws(Failure) in
                try check(worker, unit, expected[unit])
                expected[unit] += 1
                cuffd_store64(word(worker, unit), expected[unit])
            }
        }
        for unit in expected.indices { try check(worker, unit, expected[unit]) }
    }

    private func check(_ worker: Int, _ unit: Int, _ expected: UInt64) throws(Failure) {
        let got = cuffd_load64(word(worker, unit))
        if got != expected { throw Failure("worker \(worker) finds \(got) in unit \(unit), expected \(expected)") }
    }

    /// The same by a virtual CPU, some units at a time.
    private func work(_ worker: Int, _ guest: VirtualGuest) throws(Failure) {
        var share = Share(choices: Choices(seed: context.load.seed, stream: worker))
        while state[1] == 0 {
            var units: [Int] = []
            while units.count < 8, let unit = next(&share) { units.append(unit) }
            if units.isEmpty {
                window.wait(while: share.window, at: 0)
            } else {
                try access(units) { () throws(Failure) in try verify(worker, guest, units) }
            }
        }
        for unit in 0..<memory.chunkCount { try verify(worker, guest, [unit]) }
    }

    private func verify(_ worker: Int, _ guest: VirtualGuest, _ units: [Int]) throws(Failure) {
        _ = try guest.run(0, guest.verify(0, units.map { (word(worker, $0), UInt($0) * 4) }))
    }

    /// The address of a worker's word in a unit, in a page of its that differs from unit to unit.
    private func word(_ worker: Int, _ unit: Int) -> UInt {
        memory.address(memory.firstPage(unit) + unit * 37 % memory.pagesPerChunk) + 64 * UInt(worker + 1)
    }

    /// Fails unless every word that no worker owns is what it was.
    func checkConstants() throws(Failure) {
        var wrong: UInt?
        eachConstant { address, value in
            if cuffd_load64(address) != value && wrong == nil { wrong = address - memory.range.start }
        }
        if let wrong { throw Failure("the word at offset \(hex(wrong)) is not what it was") }
    }

    private func eachConstant(_ body: (_ address: UInt, _ value: UInt64) -> Void) {
        for unit in 0..<memory.chunkCount {
            let words = (0..<Workload.workers).map { word($0, unit) }
            let range = memory.chunk(unit)
            for address in stride(from: range.start, to: range.end, by: 8) where !words.contains(address) {
                body(address, UInt64(address - range.start) &* 0x9E37_79B9_7F4A_7C15 ^ UInt64(unit))
            }
        }
    }
}
