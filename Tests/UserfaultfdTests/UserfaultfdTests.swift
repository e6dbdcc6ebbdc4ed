// SPDX-License-Identifier: GPL-2.0-only

import CUserfaultfd
import Testing
import Userfaultfd

/// Against the kernel that runs the tests. Faults of user mode alone need no rights, so these run for everybody.
@Suite(.enabled(if: (try? Userfaultfd.offered()) != nil, "this kernel lets nobody open a userfaultfd"))
struct UserfaultfdTests {
    private func mapping(pages: UInt) throws -> AddressRange {
        let length = pages * basePageSize
        let flags = MAP_PRIVATE | MAP_ANONYMOUS
        let start = try checked("mmap", cuffd_mmap(0, length, PROT_READ | PROT_WRITE, flags, -1, 0))
        return AddressRange(start: UInt(start), length: length)
    }

    private func open(_ features: Features = []) throws -> Userfaultfd {
        try Userfaultfd(features: features, flags: [.nonblocking, .userModeOnly])
    }

    @Test func theHandshakeOffersTheBasicIoctls() throws {
        let answer = try Userfaultfd.offered()
        #expect(answer.ioctls.isSuperset(of: [.register, .unregister, .api]))
        #expect(answer.features.contains(.sigbus))
    }

    @Test func anUnknownFeatureIsRefused() throws {
        let failure = #expect(throws: Failure.self) { try open(Features(rawValue: 1 << 50)) }
        #expect(failure?.errno == .invalid)
        #expect(failure?.message == "UFFDIO_API: EINVAL")
    }

    @Test func aThreadBlocksUntilItsPageIsThere() throws {
        let range = try mapping(pages: 2)
        let uffd = try open()
        defer { uffd.close() }
        #expect(try uffd.register(range, .missing).isSuperset(of: [.copy, .zeropage, .wake]))
        #expect(try uffd.poll() == nil)

        let values = Words(1)
        let reader = try Thread { () throws(Failure) in
            values[0] = UInt64(cuffd_load8(range.start + basePageSize + 5)) + 1
        }
        let fault = try uffd.nextFault()
        #expect(fault.address == range.start + basePageSize)
        #expect(fault.flags == [])
        #expect(values[0] == 0)
        let source = try mapping(pages: 1)
        cuffd_store8(source.start + 5, 41)
        try uffd.copy(to: AddressRange(start: fault.address, length: basePageSize), from: source.start)
        try reader.join()
        #expect(values[0] == 42)
    }

    @Test func aSecondFillTellsThatThePageIsThere() throws {
        let range = try mapping(pages: 2)
        let uffd = try open()
        defer { uffd.close() }
        try uffd.register(range, .missing)
        try uffd.zeropage(AddressRange(start: range.start + basePageSize, length: basePageSize))
        let failure = #expect(throws: Failure.self) { try uffd.zeropage(range) }
        // The first page was filled before the second one was found there.
        #expect(failure?.errno == .again && failure?.progress == Int64(basePageSize))
    }

    @Test func pagemapTellsWhatIsThere() throws {
        let range = try mapping(pages: 2)
        cuffd_store8(range.start, 1)
        let pagemap = try Pagemap()
        defer { pagemap.close() }
        #expect(try pagemap.entry(range.start).isPresent)
        #expect(try !pagemap.entry(range.start + basePageSize).isPresent)
        #expect(try !pagemap.entry(range.start).isUffd)
    }

    @Test func aFailureOfAThreadComesOutOfItsJoin() throws {
        let thread = try Thread { () throws(Failure) in throw Failure("as told") }
        let failure = #expect(throws: Failure.self) { try thread.join() }
        #expect(failure?.message == "as told")
    }

    @Test func signalsOfAnAccessAreTold() throws {
        let range = try mapping(pages: 1)
        #expect(Probe.write(range.start, 7).signal == 0)
        #expect(Probe.read(range.start) == Probe.read(range.start))
        #expect(Probe.read(range.start).value == 7)
        munmap(UnsafeMutableRawPointer(bitPattern: range.start), Int(range.length))
        #expect(Probe.read(range.start).signal == SIGSEGV)
    }
}
