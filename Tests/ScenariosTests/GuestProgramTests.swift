// SPDX-License-Identifier: GPL-2.0-only

import Testing
import Userfaultfd

@testable import Scenarios

/// The machine code for virtual CPUs, as far as it can be judged without one.
@Suite("programs of virtual CPUs")
struct GuestProgramTests {
    @Test("each ends by telling that it is done, and fits its place", arguments: GuestProgram.allCases)
    func endsAndFits(_ program: GuestProgram) {
        let code = program.code
        #expect(code.count <= 64)
        let done: [UInt8] = [0xE6, UInt8(GuestProgram.portDone)]
        let wrong: [UInt8] = [0xE6, UInt8(GuestProgram.portWrong)]
        #expect(Array(code.suffix(2)) == done || Array(code.suffix(4)) == done + wrong)
    }

    /// Their offsets are counted by hand.
    @Test(
        "jumps lead to the start of an instruction",
        arguments: [
            (GuestProgram.readAll, 6, 13), (.readAll, 11, 0),
            (.count, 6, 13), (.count, 11, 0), (.count, 26, 0),
            (.verify, 11, 35), (.verify, 21, 37), (.verify, 33, 0),
        ]
    )
    func jump(_ program: GuestProgram, from: Int, to: Int) {
        let code = program.code
        #expect([0xEB, 0x74, 0x75].contains(code[from]))
        #expect(from + 2 + Int(Int8(bitPattern: code[from + 1])) == to)
    }

    @Test("where no virtual CPU can run, there is a reason that says what is missing")
    func reason() {
        guard let reason = KVM.reasonUnusable else { return }
        #expect(reason.contains("/proc/cpuinfo") || reason.contains("/dev/kvm") || reason.contains("x86_64"))
    }
}
