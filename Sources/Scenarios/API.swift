// SPDX-License-Identifier: GPL-2.0-only

import CUserfaultfd
import Userfaultfd

/// The interface itself: negotiation, what each call refuses and with which error number, which calls a range offers.
///
/// One scenario is one case, so that each has its line in the report. A case of refusal makes the bad call, and then the
/// same call without its flaw, which must succeed: an error number that comes for another reason does not count.
enum API {
    static let scenarios: [Scenario] =
        negotiation + privileges + offers + badRegister + badRanges + badFilling + badMoving + changing + gone
        + withoutReadWriteProtect + badReadWriteProtect + badReadWriteRegister + modeSwitch

    /// Those of these features that this kernel has.
    static func available(_ wanted: Features) throws(Failure) -> Features {
        wanted.intersection(try Userfaultfd.offered().features)
    }

    /// A scenario of the interface: no memory kind, no trap.
    static func check(
        _ name: StaticString,
        _ summary: StaticString,
        rules: StaticString = "",
        needs: [Need] = [],
        _ body: @escaping @Sendable (Context) throws(Failure) -> Void
    ) -> Scenario {
        Scenario(name, summary, rules: rules, needs: needs, traps: false, body)
    }
}

/// Three words of memory that a call takes as its argument, for calls whose answer the typed ones do not show.
struct RawArgument: Sendable {
    let memory: Memory

    init(_ words: UInt64...) throws(Failure) {
        memory = try Memory(.anon, pages: 1)
        for (index, word) in words.enumerated() {
            cuffd_store64(memory.range.start + UInt(index) * 8, word)
        }
    }

    var address: UInt { memory.range.start }

    subscript(index: Int) -> UInt64 { cuffd_load64(address + UInt(index) * 8) }

    /// Makes the argument read-only: the kernel can take it, and not write its answer.
    func makeReadOnly() throws(Failure) {
        try memory.protect(memory.range, PROT_READ)
    }

    /// Fails unless the first `count` words are all zero.
    func expectZeroed(_ count: Int, _ context: Context, _ when: @autoclosure () -> String) throws(Failure) {
        for index in 0..<count where self[index] != 0 {
            throw Failure("\(when()): word \(index) of the struct is \(hex(UInt(self[index]))), expected zero")
        }
    }
}
