// SPDX-License-Identifier: GPL-2.0-only

import CUserfaultfd
import Userfaultfd

/// What protection costs, in figures that people compare: nothing is asserted of them.
///
/// A figure is the best of a few rounds, since all that disturbs a round makes it longer. What works on ranges is given
/// per MiB, so that kinds with pages of different sizes can be compared.
enum Benchmark {
    static let scenarios: [Scenario] = [
        bench(
            "bench-rwp-range",
            "arming, resolving and scanning of 16 MiB, for each MiB",
            needs: Need.rwp,
            range
        ),
        bench(
            "bench-rwp-fault",
            "an access of an armed page, answered by a monitor and by the kernel",
            needs: Need.rwp,
            fault
        ),
        bench(
            "bench-rwp-touch",
            "loads at random addresses of 32 MiB, before and after registering: what the size of mappings costs",
            needs: Need.rwp,
            touch
        ),
        bench(
            "bench-wp-range",
            "write-protecting and resolving of 16 MiB, for each MiB",
            needs: [.features([.writeProtect, .writeProtectFiles])],
            writeProtectRange
        ),
        bench(
            "bench-wp-unpopulated",
            "write-protecting of 16 MiB that nobody touched, for each MiB: by WP_UNPOPULATED, and by reading it first",
            on: [.anon, .anonTHP],
            needs: [.features([.writeProtect, .writeProtectUnpopulated])],
            unpopulated
        ),
    ]

    private static let mebibyte: UInt = 1 << 20
    private static let rounds = 5

    private static func bench(
        _ name: StaticString,
        _ summary: StaticString,
        on kinds: [MemoryKind] = MemoryKind.all,
        needs: [Need],
        _ body: @escaping @Sendable (Context) throws(Failure) -> Void
    ) -> Scenario {
        Scenario(name, summary, on: kinds, needs: needs, traps: false, seconds: 60, body)
    }

    /// Memory of the context's kind and of this length in MiB.
    private static func memory(_ context: Context, mebibytes: UInt) throws(Failure) -> Memory {
        let page = context.kind.isHugetlb ? try Memory.hugePageSize(context.kind) : basePageSize
        return try Memory(context.kind, pages: Int(mebibytes * mebibyte / page))
    }

    /// The best time of some rounds in nanoseconds; `prepare` is not counted.
    private static func best(
        prepare: () throws(Failure) -> Void = { () throws(Failure) in },
        _ measured: () throws(Failure) -> Void
    ) throws(Failure) -> Int {
        var best = Int.max
        for _ in 0..<rounds {
            try prepare()
            let start = Clock.nanoseconds
            try measured()
            best = min(best, Clock.nanoseconds - start)
        }
        return best
    }

    private static func perMebibyte(_ context: Context, _ name: String, _ memory: Memory, _ time: Int) {
        context.figure(name, time / Int(memory.range.length / mebibyte), "ns/MiB")
    }

    private static func range(_ context: Context) throws(Failure) {
        let uffd = try Userfaultfd(features: .readWriteProtect)
        let memory = try memory(context, mebibytes: 16)
        try memory.populate()
        try uffd.register(memory.range, .readWriteProtect)
        let arm = { () throws(Failure) in try uffd.readWriteProtect(memory.range) }
        let resolve = { () throws(Failure) in try uffd.readWriteProtect(memory.range, false) }
        perMebibyte(context, "arm", memory, try best(prepare: resolve, arm))
        perMebibyte(context, "arm-again", memory, try best(arm))
        perMebibyte(context, "resolve", memory, try best(prepare: arm, resolve))
        try resolve()
        for chunk in 0..<memory.chunkCount where chunk & 1 == 0 { try uffd.readWriteProtect(memory.chunk(chunk)) }
        let pagemap = try Pagemap()
        defer { pagemap.close() }
        let query = ScanQuery(all: .accessed, report: .accessed)
        let time = try best { () throws(Failure) in _ = try pagemap.scan(memory.range, query) }
        perMebibyte(context, "scan-half-hot", memory, time)
    }

    private static func fault(_ context: Context) throws(Failure) {
        let protected = try Protected(
            context,
            async: false,
            chunks: context.kind.isTHP || context.kind.isHugetlb ? 8 : 512
        )
        let memory = protected.memory
        let touchAll = { () throws(Failure) in
            for chunk in 0..<memory.chunkCount { memory.load(memory.firstPage(chunk)) }
        }
        let monitor = try protected.answering()
        let sync = try best(prepare: protected.armAll, touchAll)
        try monitor.stop()
        context.figure("sync", sync / memory.chunkCount, "ns/access")
        try protected.uffd.setMode(enable: .readWriteProtectAsync)
        let async = try best(prepare: protected.armAll, touchAll)
        context.figure("async", async / memory.chunkCount, "ns/access")
        protected.uffd.close()
        let drop = { () throws(Failure) in try memory.advise(memory.range, MADV_DONTNEED) }
        context.figure("unprotected", try best(prepare: drop, touchAll) / memory.chunkCount, "ns/first-access")
    }

    private static func touch(_ context: Context) throws(Failure) {
        let memory = try memory(context, mebibytes: 32)
        try memory.populate()
        let loads = 200_000
        let load = { () throws(Failure) in
            var choices = Choices(seed: context.load.seed)
            let words = Int(memory.range.length / 8)
            for _ in 0..<loads { _ = cuffd_load64(memory.range.start + UInt(choices.below(words)) * 8) }
        }
        let before = try best(load)
        let uffd = try Userfaultfd(features: .readWriteProtect)
        try uffd.register(memory.range, .readWriteProtect)
        // The first pass maps again what registering took away.
        try load()
        let after = try best(load)
        context.figure("plain", before * 1000 / loads, "ps/load")
        context.figure("registered", after * 1000 / loads, "ps/load")
        uffd.close()
    }

    private static func writeProtectRange(_ context: Context) throws(Failure) {
        let uffd = try Userfaultfd(features: [.writeProtect, .writeProtectFiles])
        let memory = try memory(context, mebibytes: 16)
        try memory.populate()
        try uffd.register(memory.range, .writeProtect)
        let protect = { () throws(Failure) in try uffd.writeProtect(memory.range) }
        let resolve = { () throws(Failure) in try uffd.writeProtect(memory.range, false) }
        perMebibyte(context, "protect", memory, try best(prepare: resolve, protect))
        perMebibyte(context, "resolve", memory, try best(prepare: protect, resolve))
    }

    private static func unpopulated(_ context: Context) throws(Failure) {
        for isUnpopulated in [true, false] {
            let features: Features = isUnpopulated ? [.writeProtect, .writeProtectUnpopulated] : .writeProtect
            let uffd = try Userfaultfd(features: features)
            let memory = try memory(context, mebibytes: 16)
            try uffd.register(memory.range, .writeProtect)
            let drop = { () throws(Failure) in try memory.advise(memory.range, MADV_DONTNEED) }
            let time = try best(prepare: drop) { () throws(Failure) in
                if !isUnpopulated { for page in 0..<memory.pages { memory.load(page) } }
                try uffd.writeProtect(memory.range)
            }
            perMebibyte(context, isUnpopulated ? "unpopulated" : "read-first", memory, time)
            uffd.close()
        }
    }
}
