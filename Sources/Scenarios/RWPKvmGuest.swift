// SPDX-License-Identifier: GPL-2.0-only

import CUserfaultfd
import Userfaultfd

/// A virtual machine with a memory under test and a little memory of its own, which has programs, lists and counters.
///
/// The own memory begins at guest-physical address 0 and is never registered; the one under test begins at `base`.
final class VirtualGuest: Sendable {
    /// A multiple of every huge page, so that KVM maps huge what is huge here.
    private static let base: UInt = 1 << 30

    /// Places in the own memory: the programs, a byte that stops who counts, a counter for each CPU, a list for each.
    private enum Own {
        static let programs: UInt = 0x1000
        static let stop: UInt = 0x2000
        static let counters: UInt = 0x3000
        static let lists: UInt = 0x10000
        static let listSize: UInt = 0x10000
    }

    private let own: Memory
    private let memory: Memory
    private let cpus: [KVM.CPU]
    private let interruptions = Words(1)

    /// Makes a machine with so many CPUs over a memory.
    init(_ memory: Memory, cpus count: Int = 1, localAPICs: Bool = false) throws(Failure) {
        let kvm = try KVM()
        let machine = try kvm.createMachine()
        kvm.close()
        own = try Memory(.anon, pages: Int((Own.lists + UInt(count) * Own.listSize) / basePageSize))
        self.memory = memory
        try machine.setMemory(slot: 0, at: 0, own.range)
        try machine.setMemory(slot: 1, at: VirtualGuest.base, memory.range)
        if localAPICs { try machine.createLocalAPICs() }
        var cpus: [KVM.CPU] = []
        for number in 0..<count { cpus.append(try machine.createCPU(UInt(number))) }
        self.cpus = cpus
        // A CPU that loses its way stops, and does not run through zeroes for ever.
        for address in stride(from: own.range.start, to: own.range.start + Own.stop, by: 8) {
            cuffd_store64(address, VirtualGuest.halt)
        }
        for program in GuestProgram.allCases { put(program.code, at: own.range.start + VirtualGuest.place(program)) }
    }

    /// Eight times HLT.
    private static let halt: UInt64 = 0xF4F4_F4F4_F4F4_F4F4

    private static func place(_ program: GuestProgram) -> UInt {
        Own.programs + UInt(program.rawValue) * 64
    }

    /// Writes code.
    func put(_ code: [UInt8], at address: UInt) {
        for (index, byte) in code.enumerated() { cuffd_store8(address + UInt(index), byte) }
    }

    /// The guest-physical address of an address of the memory under test.
    func physical(_ address: UInt) -> UInt32 {
        UInt32(VirtualGuest.base + address - memory.range.start)
    }

    private func start(_ program: GuestProgram) -> KVM.RealMode {
        KVM.RealMode(at: UInt32(VirtualGuest.place(program)))
    }

    /// Runs a CPU until its program is done, and gives the byte that it ends with. Signals do not end it.
    func run(_ cpu: Int = 0, _ state: KVM.RealMode) throws(Failure) -> UInt8 {
        try cpus[cpu].enterRealMode(state)
        while true {
            switch try cpus[cpu].run() {
            case .interrupted: interruptions.add(1, at: 0)
            case .output(GuestProgram.portDone, let byte): return byte
            case .output: throw Failure("a virtual CPU read what it had not written")
            case .noMemory(let address): throw Failure("a virtual CPU accessed \(hex(address))")
            case .other(let reason): throw Failure("a virtual CPU stopped with exit reason \(reason)")
            }
        }
    }

    /// How many times a signal stopped a CPU.
    var interrupted: UInt64 { interruptions[0] }

    /// Reads the byte at an address of the memory under test.
    func read(_ address: UInt) -> KVM.RealMode {
        var state = start(.read)
        state.esi = physical(address)
        return state
    }

    /// Writes a byte.
    func write(_ address: UInt, _ byte: UInt8) -> KVM.RealMode {
        var state = start(.write)
        state.esi = physical(address)
        state.eax = UInt32(byte)
        return state
    }

    /// Runs the code at an address.
    func fetch(_ address: UInt) -> KVM.RealMode {
        KVM.RealMode(at: physical(address))
    }

    /// Reads all of these addresses.
    func readAll(_ cpu: Int = 0, _ addresses: [UInt]) -> KVM.RealMode {
        var state = start(.readAll)
        state.esi = list(cpu, addresses.map { physical($0) })
        return state
    }

    /// Counts up the words at these addresses, in turn, until `stopCounting()`.
    func count(_ cpu: Int = 0, _ addresses: [UInt]) -> KVM.RealMode {
        var state = start(.count)
        state.esi = list(cpu, addresses.map { physical($0) })
        state.ebp = state.esi
        state.ebx = UInt32(Own.stop)
        state.edi = UInt32(Own.counters) + UInt32(cpu) * 64
        return state
    }

    /// How many times a CPU has counted. It does so after each access of the memory under test.
    func counted(_ cpu: Int = 0) -> UInt64 {
        cuffd_load64(own.range.start + Own.counters + UInt(cpu) * 64)
    }

    /// Lets who counts finish.
    func stopCounting() {
        cuffd_store8(own.range.start + Own.stop, 1)
    }

    /// For each address of the memory under test and the expected word's offset in `expectations`, compares, and counts
    /// both up.
    func verify(_ cpu: Int = 0, _ pairs: [(address: UInt, expectation: UInt)]) -> KVM.RealMode {
        var state = start(.verify)
        var words: [UInt32] = []
        for pair in pairs {
            words.append(UInt32(VirtualGuest.expectations(cpu) + pair.expectation))
            words.append(physical(pair.address))
        }
        state.esi = list(cpu, words + [0])
        return state
    }

    /// What a CPU expects of words of the memory under test, zeroes at first: the second half of its list's room.
    private static func expectations(_ cpu: Int) -> UInt {
        Own.lists + UInt(cpu) * Own.listSize + Own.listSize / 2
    }

    /// Writes a CPU's list and gives its guest-physical address.
    private func list(_ cpu: Int, _ words: [UInt32]) -> UInt32 {
        let start = Own.lists + UInt(cpu) * Own.listSize
        precondition(UInt(words.count + 2) * 4 <= Own.listSize)
        for (index, pair) in stride(from: 0, to: words.count + 1, by: 2).enumerated() {
            let low = pair < words.count ? UInt64(words[pair]) : 0
            let high = pair + 1 < words.count ? UInt64(words[pair + 1]) : 0
            cuffd_store64(own.range.start + start + UInt(index) * 8, low | high << 32)
        }
        return UInt32(start)
    }
}

/// A virtual CPU that runs a program in a thread of its own, so that a trap may block it.
final class VirtualRun: Sendable {
    let thread: Thread
    private let outcome: Words

    /// Starts the program.
    init(_ guest: VirtualGuest, _ cpu: Int = 0, _ state: KVM.RealMode) throws(Failure) {
        let outcome = Words(1)
        self.outcome = outcome
        thread = try Thread { () throws(Failure) in outcome[0] = UInt64(try guest.run(cpu, state)) }
    }

    var isFinished: Bool { thread.isFinished }

    /// Waits for the program's end and gives the byte that it ended with. Call it once.
    @discardableResult
    func finish() throws(Failure) -> UInt8 {
        try thread.join()
        return UInt8(outcome[0])
    }
}
