// SPDX-License-Identifier: GPL-2.0-only

import CUserfaultfd
import Userfaultfd

/// Memory registered for read-write protection, and what is asked of it again and again.
///
/// Armed and accessed are told apart in *chunks*: the unit that one page-table entry maps, which is the huge page of THP
/// and hugetlb kinds and the base page of the others. What happens to a part of a huge page is the business of `rwp-thp`.
/// A kernel may map the huge pages of files in base pages, so that there a chunk is accessed if one page of it is.
final class Protected: Sendable {
    let context: Context
    let uffd: Userfaultfd
    let memory: Memory
    /// Whether the kernel resolves traps by itself.
    let isAsync: Bool

    /// Maps, populates and registers memory of the context's kind; nothing is armed yet.
    convenience init(
        _ context: Context,
        async: Bool,
        chunks: Int = 4,
        mode: RegisterMode = .readWriteProtect,
        features: Features = [],
        flags: Userfaultfd.OpenFlags = [.nonblocking],
        populated: Bool = true
    ) throws(Failure) {
        let memory = try Memory(context.kind, chunks: chunks)
        if populated { try memory.populate() }
        try self.init(context, async: async, memory: memory, mode: mode, features: features, flags: flags)
    }

    /// Registers memory that is there; nothing is armed yet.
    init(
        _ context: Context,
        async: Bool,
        memory: Memory,
        mode: RegisterMode = .readWriteProtect,
        features: Features = [],
        flags: Userfaultfd.OpenFlags = [.nonblocking]
    ) throws(Failure) {
        self.context = context
        isAsync = async
        self.memory = memory
        let wanted: Features = async ? [.readWriteProtect, .readWriteProtectAsync] : .readWriteProtect
        uffd = try Userfaultfd(features: wanted.union(features), flags: flags)
        try uffd.register(memory.range, mode)
    }

    /// The same registration with its memory elsewhere: after an mremap(2) that carried it along.
    init(_ other: Protected, memory: Memory) {
        context = other.context
        uffd = other.uffd
        isAsync = other.isAsync
        self.memory = memory
    }

    /// Arms some chunks and makes sure, by pagemap, that they are.
    func arm(_ chunks: Range<Int>) throws(Failure) {
        try uffd.readWriteProtect(memory.chunks(chunks))
        for chunk in chunks {
            let armed = try memory.entry(memory.firstPage(chunk)).isUffd
            try context.expect(armed, "UFFDIO_RWPROTECT returned 0 and left chunk \(chunk) unarmed (P1)")
        }
    }

    /// Arms every chunk.
    func armAll() throws(Failure) {
        try arm(0..<memory.chunkCount)
    }

    /// Resolves some chunks and wakes who waits for them.
    func resolve(_ chunks: Range<Int>) throws(Failure) {
        try uffd.readWriteProtect(memory.chunks(chunks), false)
    }

    /// Whether a part of a chunk can be accessed and the rest armed.
    private var hasParts: Bool { memory.kind == .shmemTHP }

    /// Reads every page of a chunk.
    func loadAll(_ chunk: Int) {
        for page in memory.pageNumbers(chunk..<(chunk + 1)) { memory.load(page, offset: 8) }
    }

    /// Which chunks PAGEMAP_SCAN reports as accessed. A chunk of which a part is reported is a failure.
    func accessed() throws(Failure) -> [Bool] {
        try categories(.accessed)
    }

    /// Which chunks are in all of these categories; a chunk of which only a part is, is a failure.
    func categories(_ wanted: PageCategories) throws(Failure) -> [Bool] {
        let pagemap = try Pagemap()
        defer { pagemap.close() }
        let regions = try pagemap.scan(memory.range, ScanQuery(all: wanted, report: wanted)).regions
        var result: [Bool] = []
        for chunk in 0..<memory.chunkCount {
            let range = memory.chunk(chunk)
            var covered: UInt = 0
            for region in regions {
                let start = max(region.range.start, range.start)
                let end = min(region.range.end, range.end)
                if end > start { covered += end - start }
            }
            try context.expect(
                covered == 0 || covered == range.length || hasParts,
                "chunk \(chunk): \(covered) of \(range.length) bytes are in categories \(wanted.rawValue)"
            )
            result.append(covered != 0)
        }
        return result
    }

    /// Fails unless exactly these chunks are reported as accessed, and pagemap's bit 57 says the opposite of each
    /// populated one (rules S1, S2).
    func expectAccessed(
        _ expected: [Int],
        _ when: @autoclosure () -> String,
        file: StaticString = #fileID,
        line: UInt = #line
    ) throws(Failure) {
        let found = try accessed()
        let pagemap = try Pagemap()
        defer { pagemap.close() }
        for chunk in 0..<memory.chunkCount {
            let wanted = expected.contains(chunk)
            let entry = try pagemap.entry(memory.chunk(chunk).start)
            let isPopulated = entry.isPresent || entry.isSwapped
            let isRight = !isPopulated || entry.isUffd != wanted || (wanted && hasParts)
            try context.expect(
                found[chunk] == wanted && isRight,
                "\(when()): chunk \(chunk) is \(found[chunk] ? "" : "not ")accessed, \(entry.isUffd ? "" : "not ")armed"
                    + " (pagemap has \(hex(UInt(entry.bits)))), expected to be \(wanted ? "accessed" : "armed")",
                file: file,
                line: line
            )
        }
    }

    /// Shows that the trap fires, on chunk 0: asynchronously it is reported as not accessed, and as accessed after one
    /// touch; synchronously a touch blocks and a message arrives. Leaves chunk 0 unarmed.
    func showTrap() throws(Failure) {
        try arm(0..<1)
        if isAsync {
            try context.expect(try !accessed()[0], "an armed chunk is reported as accessed")
            memory.load(memory.firstPage(0))
            try context.expect(try accessed()[0], "a touched chunk is not reported as accessed (F2)")
            context.sawTrap()
        } else {
            try expectTrap(0, .read)
        }
    }

    /// What a thread does to a byte.
    enum Access: Sendable {
        case read
        case write(UInt8)
    }

    /// Starts a thread that touches a chunk.
    func touch(_ chunk: Int, _ access: Access = .read, offset: UInt = 0) throws(Failure) -> Thread {
        let memory = memory
        let page = memory.firstPage(chunk)
        return try Thread { () throws(Failure) in
            switch access {
            case .read: memory.load(page, offset: offset)
            case .write(let value): memory.store(page, offset: offset, value)
            }
        }
    }

    /// Touches an armed chunk from another thread, expects the message of a sync trap and resolves it (rule F1).
    func expectTrap(
        _ chunk: Int,
        _ access: Access,
        offset: UInt = 0,
        file: StaticString = #fileID,
        line: UInt = #line
    ) throws(Failure) {
        let thread = try touch(chunk, access, offset: offset)
        try expectMessage(chunk, access, file: file, line: line)
        try context.expect(!thread.isFinished, "the access of chunk \(chunk) went on before it was resolved")
        try resolve(chunk..<(chunk + 1))
        try thread.join()
    }

    /// Waits for the message of a sync trap on a chunk and checks its flags and address.
    func expectMessage(
        _ chunk: Int,
        _ access: Access,
        file: StaticString = #fileID,
        line: UInt = #line
    ) throws(Failure) {
        let fault = try uffd.nextFault()
        var flags: FaultFlags = .readWriteProtect
        if case .write = access { flags.insert(.write) }
        try context.expect(
            fault.flags == flags,
            "message flags are \(fault.flags.rawValue), expected \(flags.rawValue)",
            file: file,
            line: line
        )
        try context.expect(
            memory.chunk(chunk).contains(fault.address),
            "message address \(hex(fault.address)) is not in chunk \(chunk)",
            file: file,
            line: line
        )
        context.sawTrap()
    }

    /// Fails if a message is there: what ran until here must have passed untrapped.
    func expectNoMessage(
        _ when: @autoclosure () -> String,
        file: StaticString = #fileID,
        line: UInt = #line
    ) throws(Failure) {
        if let message = try uffd.poll() {
            throw Failure("\(file):\(line): \(when()): unexpected \(message.description)")
        }
    }
}

extension Protected {
    /// Fails unless exactly the pages for which `expected` says so are armed, as pagemap tells.
    func expectArmedPages(
        _ when: @autoclosure () -> String,
        _ expected: (Int) -> Bool
    ) throws(Failure) {
        try memory.expectUffdBit(when(), expected)
    }

    /// Touches an armed page of a huge one from another thread, expects the trap at its very address and resolves that
    /// page alone.
    func expectPageTrap(_ page: Int, _ access: Access = .read, offset: UInt = 0) throws(Failure) {
        let memory = memory
        let thread = try Thread { () throws(Failure) in
            switch access {
            case .read: memory.load(page, offset: offset)
            case .write(let value): memory.store(page, offset: offset, value)
            }
        }
        let fault = try uffd.nextFault()
        var flags: FaultFlags = .readWriteProtect
        if case .write = access { flags.insert(.write) }
        try context.expect(fault.flags == flags, "flags \(fault.flags.rawValue) of the trap of page \(page)")
        try context.expect(fault.address == memory.address(page), "address \(hex(fault.address)), page \(page)")
        context.sawTrap()
        try uffd.readWriteProtect(memory.page(page), false)
        try thread.join()
    }

    /// A monitor that resolves the chunk of every trap.
    func answering() throws(Failure) -> Monitor {
        let memory = memory
        return try Monitor(uffd) { [self] (message) throws(Failure) in
            guard case .pageFault(let address, _, _) = message else {
                throw Failure("unexpected \(message.description)")
            }
            let chunk = Int((address - memory.range.start) / memory.chunkSize)
            try resolve(chunk..<(chunk + 1))
        }
    }

    /// Forks with EVENT_FORK and gives the child and its userfaultfd. fork(2) returns only once the event is read, so a
    /// thread reads it.
    func fork(_ body: () throws(Failure) -> Int32) throws(Failure) -> (child: Child, uffd: Userfaultfd) {
        let received = Words(1)
        let reader = try Thread { [uffd] () throws(Failure) in
            guard case .fork(let descriptor) = try uffd.next() else { throw Failure("expected a fork event") }
            received[0] = UInt64(descriptor)
        }
        let child = try Child(body)
        try reader.join()
        return (child, Userfaultfd(descriptor: Int32(received[0])))
    }

    /// Remaps the memory with EVENT_REMAP, whose event a thread reads, and gives the registration at its new place.
    func remapped(_ how: (Memory) throws(Failure) -> Memory) throws(Failure) -> Protected {
        let reader = try Thread { [uffd] () throws(Failure) in
            guard case .remap = try uffd.next() else { throw Failure("expected a remap event") }
        }
        let moved = Protected(self, memory: try how(memory))
        try reader.join()
        return moved
    }
}

extension Need {
    /// The kernel has RWP, and PAGEMAP_SCAN to look at it.
    static let rwp: [Need] = [.features([.readWriteProtect, .readWriteProtectAsync]), .pagemapScan]
}
