// SPDX-License-Identifier: GPL-2.0-only

import CUserfaultfd
import Userfaultfd

/// Eviction as a virtual machine monitor does it, while the guest runs (the contract's section 1).
enum RWPEvict {
    private static let needs: [Need] = Need.rwp + [.features([.missingShmem, .minorShmem])]

    static let scenarios: [Scenario] = [
        Scenario(
            "rwp-evict-minor",
            "hundreds of evictions under workers, with MINOR: no byte is lost, no hot page evicted",
            rules: "F1 F2 F5 M1 M2 S2 L2 L5 G1",
            on: MemoryKind.shared,
            needs: needs,
            seconds: 60
        ) { (context) throws(Failure) in try evict(context, minor: true) },
        Scenario(
            "rwp-evict-vcpu",
            "the same with a virtual CPU among the workers",
            rules: "F1 F2 F5 M1 M2 S2 L2 L5 G1",
            on: MemoryKind.shared,
            needs: needs + [.kvm],
            seconds: 60
        ) { (context) throws(Failure) in try evict(context, minor: true, virtual: true) },
        Scenario(
            "rwp-evict-limited",
            "the same while the kernel swaps the memory too",
            rules: "F1 F2 F5 M1 M2 S2 L2 L5 G1",
            on: [.shmem],
            needs: needs + MemoryLimit.needs,
            seconds: 120
        ) { (context) throws(Failure) in
            let limit = try MemoryLimit()
            try evict(context, minor: true, limit)
            try limit.end()
        },
        Scenario(
            "rwp-evict-locked",
            "the same without MINOR, in memory that is locked",
            rules: "F1 F2 F5 M1 M2 S2 L2 L5 G1",
            on: MemoryKind.shared,
            needs: needs + [.root],
            seconds: 60
        ) { (context) throws(Failure) in try evict(context, minor: false) },
        Scenario(
            "rwp-evict-frozen",
            "after the freeze, a write between scan and punch waits until the page is back",
            rules: "M1 M2 F1 L2 L5",
            on: MemoryKind.shared,
            needs: needs,
            frozen
        ),
        Scenario(
            "rwp-evict-lost",
            "without MINOR, a write after reclaim dropped mapping and arm passes, and the eviction loses it",
            rules: "L2",
            on: [.shmem],
            needs: needs + [.swap],
            lost
        ),
        Scenario(
            "rwp-evict-kept",
            "with MINOR the write that would be lost waits, and is kept",
            rules: "L2 G1 L5",
            on: [.shmem],
            needs: needs + [.swap],
            kept
        ),
    ]

    /// How much there is to do: units in all, rounds, units evicted in a round at most, operations of each worker in a round.
    private struct Size {
        let units: Int
        let rounds: Int
        let evictions: Int
        let operations: Int

        init(_ kind: MemoryKind) {
            let isHuge = kind != .shmem
            units = isHuge ? 8 : 512
            rounds = isHuge ? 24 : 200
            evictions = isHuge ? 2 : 16
            operations = isHuge ? 20 : 100
        }
    }

    private static func evict(
        _ context: Context,
        minor: Bool,
        virtual: Bool = false,
        _ limit: MemoryLimit? = nil
    ) throws(Failure) {
        let size = Size(context.kind)
        let workload = try Workload(
            context,
            units: size.units,
            operationsPerWindow: size.operations,
            virtual: virtual
        )
        let memory = workload.memory
        if !minor && !context.kind.isHugetlb {
            try checked("mlock", mlock(UnsafeRawPointer(bitPattern: memory.range.start), Int(memory.range.length)))
        }
        let pager = try Pager(memory, minor: minor)
        try showTrap(context, pager)
        if let limit {
            // The pager's store and the kernel's own memory for the process want their part of the limit, too.
            try limit.tighten(by: memory.range.length / 4)
            context.note("the kernel has swapped \(try limit.swapped >> 10) KiB")
        }
        let workers = try workload.start()
        var evicted = 0
        for round in 0..<size.rounds {
            try pager.track()
            // Before the window opens: each worker does so many in it, and then waits for its end.
            let goal = workload.operations + UInt64(size.operations)
            workload.openWindow()
            try pager.serve { workload.operations >= goal || workers.contains { $0.isFinished } }
            workload.closeWindow()
            let cold = try pager.evict(atMost: size.evictions)
            evicted += cold.count
            if let unit = workload.firstHot(of: cold) {
                throw Failure("round \(round): evicted unit \(unit), which is hot")
            }
        }
        workload.stop()
        try pager.serve { workers.allSatisfy { $0.isFinished } }
        for worker in workers { try worker.join() }
        let last = try Thread { () throws(Failure) in try workload.checkConstants() }
        try pager.serve { last.isFinished }
        try last.join()
        context.note("\(evicted) evicted, \(pager.fetched) fetched, \(pager.mapped) mapped by CONTINUE")
        if let limit { try context.expect(try limit.swapped > 0 && pager.mapped > 0, "the kernel swapped nothing") }
        try context.expect(min(evicted, pager.fetched) >= size.rounds / 2, "hardly anything was evicted")
    }

    /// What is accessed while the pager tracks is not cold; the rest is.
    private static func showTrap(_ context: Context, _ pager: Pager) throws(Failure) {
        try pager.track()
        let all = try pager.coldUnits()
        try context.expectEqual(all.count, pager.memory.chunkCount, "cold units before any access")
        pager.memory.load(pager.memory.firstPage(1))
        try context.expect(try !pager.coldUnits().contains(1), "a unit that was accessed is cold")
        context.sawTrap()
    }

    private static let place: UInt = 64

    /// A pager over a filled memory, of which unit 1 is found cold, frozen and written out.
    private static func beginEviction(_ context: Context, minor: Bool) throws(Failure) -> Pager {
        let memory = try Memory(context.kind, chunks: 4)
        try memory.populate()
        let pager = try Pager(memory, minor: minor)
        try showTrap(context, pager)
        try pager.track()
        try pager.freeze()
        try context.expect(try pager.coldUnits().contains(1), "a unit that nobody accessed is not cold")
        try pager.writeOut(1)
        return pager
    }

    /// A write by another thread, which must block with a message of these flags.
    private static func blockedWrite(
        _ context: Context,
        _ pager: Pager,
        _ flags: FaultFlags
    ) throws(Failure) -> (writer: Access, message: Message) {
        let writer = try Access.write(pager.memory, pager.memory.firstPage(1), offset: place, 0x55)
        while true {
            if let message = try pager.uffd.poll() {
                guard case .pageFault(_, flags, _) = message else {
                    throw Failure("expected flags \(flags.rawValue), got \(message.description)")
                }
                return (writer, message)
            }
            try context.expect(!writer.isFinished, "a write of a page that is being evicted passed")
            sched_yield()
        }
    }

    /// The pager goes on as if it knew nothing; afterwards the write is there, and everything else.
    private static func finishEviction(
        _ context: Context,
        _ pager: Pager,
        _ writer: Access,
        _ message: Message
    ) throws(Failure) {
        let memory = pager.memory
        try pager.punch(1)
        try pager.resume()
        try pager.answer(message)
        try pager.serve { writer.isFinished }
        try writer.finish()
        try context.expectEqual(pager.fetched, 1, "units fetched")
        let byte = memory.load(memory.firstPage(1), offset: place)
        try context.expectEqual(byte, 0x55, "the byte that was written between scan and punch")
        try checkAll(pager)
    }

    /// Reads everything, by another thread, while the pager serves.
    private static func checkAll(_ pager: Pager) throws(Failure) {
        let memory = pager.memory
        let reader = try Thread { () throws(Failure) in try memory.check("at the end") }
        try pager.serve { reader.isFinished }
        try reader.join()
    }

    private static func frozen(_ context: Context) throws(Failure) {
        let pager = try beginEviction(context, minor: false)
        let (writer, message) = try blockedWrite(context, pager, [.readWriteProtect, .write])
        context.sawTrap()
        try finishEviction(context, pager, writer, message)
    }

    /// Reclaim takes the page out of the guest's mapping; it stays in the file, or in swap.
    private static func reclaim(_ context: Context, _ pager: Pager) throws(Failure) {
        try pager.memory.swapOut(1..<2)
        try context.expect(try !pager.memory.entry(1).isUffd, "an unmapped page of a file is armed (L2)")
    }

    /// This is why MINOR is there.
    private static func lost(_ context: Context) throws(Failure) {
        let pager = try beginEviction(context, minor: false)
        let memory = pager.memory
        try reclaim(context, pager)
        // By this thread, which nobody could let go if it were blocked.
        memory.store(1, offset: place, 0x55)
        try context.expectNoMessage(pager.uffd, "a write after reclaim")
        try context.expectEqual(memory.load(1, offset: place), 0x55, "the byte written")
        try pager.punch(1)
        try pager.resume()
        let reader = try Access.read(memory, 1, offset: place)
        try pager.serve { reader.isFinished }
        try context.expectEqual(reader.finish(), 0, "the byte after the eviction: is the update kept?")
        try checkAll(pager)
    }

    private static func kept(_ context: Context) throws(Failure) {
        let pager = try beginEviction(context, minor: true)
        try reclaim(context, pager)
        let (writer, message) = try blockedWrite(context, pager, [.minor, .write])
        try finishEviction(context, pager, writer, message)
    }
}
