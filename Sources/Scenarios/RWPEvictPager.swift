// SPDX-License-Identifier: GPL-2.0-only

import CUserfaultfd
import Userfaultfd

/// A userspace pager, as a virtual machine monitor has one: it keeps what a guest uses in memory and the rest in a file.
///
/// The guest's memory is a memfd that is mapped twice. The guest, its virtual CPUs and its devices use `memory`, which is
/// registered; the pager's own mapping of it is not, so that the pager can read what is armed. It evicts in *units*: the
/// huge page where the memory has such, since a hole in a part of one frees nothing, else the page.
///
/// The pager is one thread. While it evicts, it answers no message: whoever accesses a page that it is about to take waits
/// until the page is gone, and then asks for it anew.
///
/// MODE_RWP tells the pager of accesses to pages that are mapped. The arm is in the mapping: when the kernel swaps a page
/// of the file out, or drops its mapping for another reason, the arm is gone with it (rule L2). What guards such a page is
/// MODE_MINOR, by which the access of a page that is in the file and not mapped is a message too. Without MINOR, the
/// memory must be locked.
final class Pager {
    let uffd: Userfaultfd
    /// The memory as the guest has it.
    let memory: Memory
    /// The memory as the pager has it.
    private let view: Memory
    /// The file that evicted units are in, at the same offsets as in the memory.
    private let store: Int32
    /// Which units are in that file and not in memory.
    private var isStored: [Bool]
    /// Where a unit is on its way from the file to the memory.
    private let buffer: Memory
    /// Where the next eviction begins to look for cold units, so that each has its turn.
    private var hand = 0
    /// How many units were fetched from the file.
    private(set) var fetched = 0
    /// How many units, or pages of such, were mapped because the guest met them unmapped.
    private(set) var mapped = 0

    /// Takes over a memory, all of whose pages are there, and tracks nothing yet.
    init(_ memory: Memory, minor: Bool) throws(Failure) {
        self.memory = memory
        view = try memory.alias()
        isStored = [Bool](repeating: false, count: memory.chunkCount)
        buffer = try Memory(.anon, pages: Int(memory.chunkSize / basePageSize))
        store = try Pager.makeFile()
        // Asynchronous: as long as nobody evicts, the kernel notes accesses by itself.
        uffd = try Userfaultfd(features: [.readWriteProtect, .readWriteProtectAsync])
        try uffd.register(memory.range, minor ? [.missing, .minor, .readWriteProtect] : [.missing, .readWriteProtect])
    }

    private static func makeFile() throws(Failure) -> Int32 {
        let path = "/tmp/uffd-selftest-pager-\(getpid())"
        let descriptor = try checked("open of \(path)", cuffd_open(path, O_RDWR | O_CREAT | O_EXCL, 0o600))
        unlink(path)
        return descriptor
    }

    /// Begins to track: what is accessed from now on is hot.
    func track() throws(Failure) {
        try uffd.readWriteProtect(memory.range)
    }

    /// Evicts up to `limit` units that were not accessed since `track()`, and tells which.
    func evict(atMost limit: Int) throws(Failure) -> [Int] {
        try freeze()
        let cold = Array(try coldUnits().prefix(limit))
        for unit in cold { try writeOut(unit) }
        for unit in cold { try punch(unit) }
        try resume()
        if let last = cold.last { hand = last + 1 }
        return cold
    }

    /// Makes accesses of armed pages wait: until `resume()`, a page that the scan finds cold stays so.
    func freeze() throws(Failure) {
        try uffd.setMode(disable: .readWriteProtectAsync)
    }

    /// Lets accesses of armed pages pass again, and those go on that waited.
    func resume() throws(Failure) {
        try uffd.setMode(enable: .readWriteProtectAsync)
    }

    /// The units of which every page is mapped and not accessed since it was armed, from the hand on. What is not mapped is
    /// not cold for sure: it may have been accessed before the kernel dropped the mapping.
    func coldUnits() throws(Failure) -> [Int] {
        let pagemap = try Pagemap()
        defer { pagemap.close() }
        var query = ScanQuery(all: [.present, .accessed], report: .present)
        query.inverted = .accessed
        var coldBytes = [UInt](repeating: 0, count: memory.chunkCount)
        var next = memory.range.start
        while next < memory.range.end {
            let result = try pagemap.scan(AddressRange(start: next, length: memory.range.end - next), query)
            for region in result.regions {
                for unit in unit(at: region.range.start)...unit(at: region.range.end - 1) {
                    let part = memory.chunk(unit)
                    coldBytes[unit] += min(region.range.end, part.end) - max(region.range.start, part.start)
                }
            }
            next = result.walkEnd
        }
        let cold = coldBytes.indices.filter { coldBytes[$0] == memory.chunkSize }
        return cold.filter { $0 >= hand } + cold.filter { $0 < hand }
    }

    /// Copies a unit to the file. To read it maps it here, which would stand in the way of the kernel's reclaim.
    func writeOut(_ unit: Int) throws(Failure) {
        let part = view.chunk(unit)
        let count = pwrite(store, UnsafeRawPointer(bitPattern: part.start), Int(part.length), offset(of: unit))
        if count != Int(part.length) { throw Failure(call: "pwrite of unit \(unit)", code: cuffd_errno()) }
        try view.advise(part, MADV_DONTNEED)
    }

    /// Frees a unit's memory and takes it out of the guest's mapping. Who waits for it asks for it anew, as missing.
    func punch(_ unit: Int) throws(Failure) {
        isStored[unit] = true
        try memory.punchHole(memory.chunk(unit))
        try uffd.wake(memory.chunk(unit))
    }

    /// Answers messages until something is done, for which it looks at least each millisecond.
    func serve(until isDone: () -> Bool) throws(Failure) {
        while !isDone() {
            guard try waitReadable(uffd.descriptor, milliseconds: 1) != 0 else { continue }
            while let message = try uffd.poll() { try answer(message) }
        }
    }

    /// Answers a message. Where the state has changed since it was sent, its thread is woken and tries again.
    func answer(_ message: Message) throws(Failure) {
        guard case .pageFault(let address, let flags, _) = message else {
            throw Failure("unexpected \(message.description)")
        }
        let unit = unit(at: address)
        if flags.contains(.minor) && !isStored[unit] {
            try map(memory.page(Int((address - memory.range.start) / memory.pageSize)))
        } else if isStored[unit] && !flags.contains(.readWriteProtect) {
            try fetch(unit)
        } else {
            try uffd.wake(memory.chunk(unit))
        }
    }

    /// Maps a page of the file. The page is accessible then: somebody wanted it, so it is hot.
    private func map(_ page: AddressRange) throws(Failure) {
        do throws(Failure) {
            try uffd.continue(page)
            mapped += 1
        } catch {
            // Mapped already, for another thread's message.
            if error.errno != .exists { throw error }
            try uffd.wake(page)
        }
    }

    /// Brings a unit back from the file, where its place is free then.
    private func fetch(_ unit: Int) throws(Failure) {
        let length = Int(memory.chunkSize)
        let count = pread(store, UnsafeMutableRawPointer(bitPattern: buffer.range.start), length, offset(of: unit))
        if count != length { throw Failure(call: "pread of unit \(unit)", code: cuffd_errno()) }
        isStored[unit] = false
        try uffd.copy(to: memory.chunk(unit), from: buffer.range.start)
        try Memory.punchHole(into: store, at: offset(of: unit), length)
        fetched += 1
    }

    private func unit(at address: UInt) -> Int { Int((address - memory.range.start) / memory.chunkSize) }

    private func offset(of unit: Int) -> Int { unit * Int(memory.chunkSize) }
}
