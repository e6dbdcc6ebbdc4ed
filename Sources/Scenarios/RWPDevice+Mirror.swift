// SPDX-License-Identifier: GPL-2.0-only

import CUserfaultfd
import Userfaultfd

/// The make-believe device of the kernel's test_hmm module: it has memory of its own that no CPU can address, and
/// accesses this process's through page tables of its own (`lib/test_hmm.c`).
struct DeviceMirror: Sendable {
    private let descriptor: Int32

    /// What it needs.
    static let needs: [Need] = [.file("/dev/hmm_dmirror0", "CONFIG_TEST_HMM and its module"), .root]

    /// Lets the device mirror the address space of this process.
    init() throws(Failure) {
        descriptor = try checked("open of hmm_dmirror0", cuffd_open("/dev/hmm_dmirror0", O_RDWR, 0))
    }

    /// Asks the device to take pages into its memory; it leaves what it cannot have.
    func tryTake(_ range: AddressRange) throws(Failure) {
        do throws(Failure) {
            try request("MIGRATE_TO_DEV", CUFFD_HMM_MIGRATE_TO_DEV, range)
        } catch {
            // It could not read all of the range afterwards, because it does not have all.
            if error.errno != .noEntry { throw error }
        }
    }

    /// Moves these pages into the device's memory and makes sure that they are there; the kernel may need several
    /// goes, and the scenario's watchdog ends them.
    func take(_ memory: Memory, _ pages: Range<Int>) throws(Failure) {
        while try !Self.areAway(memory, pages) { try tryTake(memory.pages(pages)) }
    }

    /// Moves these pages back into the system's memory.
    func giveBack(_ memory: Memory, _ pages: Range<Int>) throws(Failure) {
        while try Self.areAway(memory, pages.lowerBound..<(pages.lowerBound + 1)) {
            try request("MIGRATE_TO_SYS", CUFFD_HMM_MIGRATE_TO_SYS, memory.pages(pages))
        }
    }

    /// Gives the device alone access to a range (`make_device_exclusive()`): the kernel faults it in for writing.
    func exclude(_ range: AddressRange) throws(Failure) {
        try request("EXCLUSIVE", CUFFD_HMM_EXCLUSIVE, range)
    }

    /// Lets the device fault for a page that it wants to read, though not read it: test_hmm follows what
    /// `hmm_range_fault()` says of the device's own pages into memory that is not there.
    ///
    /// The range that it asks for goes on into the next page, which nobody may access, so it gets EFAULT in the end.
    func fault(_ memory: Memory, _ page: Int) throws(Failure) {
        do throws(Failure) {
            try request("READ", CUFFD_HMM_READ, memory.pages(page..<(page + 2)))
        } catch {
            if error.errno == .fault { return }
            throw error
        }
        throw Failure("the device read beyond page \(page), in a PROT_NONE mapping")
    }

    /// What the device may do to a page without a fault, as `hmm_range_fault()` says.
    func right(to page: Int, of memory: Memory) throws(Failure) -> Right {
        // HMM_DMIRROR_PROT_* of lib/test_hmm_uapi.h: one bit for what can be read alone, another for what can be
        // written as well; the others tell where the page is.
        let word = try request("SNAPSHOT", CUFFD_HMM_SNAPSHOT, memory.page(page))
        return word & 2 != 0 ? .write : word & 1 != 0 ? .read : .none
    }

    enum Right { case none, read, write }

    /// Whether none of these pages is present and each has an entry.
    private static func areAway(_ memory: Memory, _ pages: Range<Int>) throws(Failure) -> Bool {
        let pagemap = try Pagemap()
        defer { pagemap.close() }
        for page in pages {
            let entry = try pagemap.entry(memory.address(page))
            if entry.isPresent || !entry.isSwapped { return false }
        }
        return true
    }

    /// Makes a request and gives the first word of what the device read.
    @discardableResult
    private func request(_ name: String, _ number: UInt, _ range: AddressRange) throws(Failure) -> UInt64 {
        let buffer = try Memory(.anon, pages: Int(range.length / basePageSize))
        buffer.fillWithZeroes(0..<buffer.pages)
        var command = hmm_dmirror_cmd(
            addr: UInt64(range.start),
            ptr: UInt64(buffer.range.start),
            npages: UInt64(range.length / basePageSize),
            cpages: 0,
            faults: 0
        )
        let result = cuffd_ioctl(descriptor, number, &command)
        let word = cuffd_load64(buffer.range.start)
        try buffer.unmap()
        try checked("HMM_DMIRROR_\(name) at \(hex(range.start))", result)
        return word
    }
}
