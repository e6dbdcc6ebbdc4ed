// SPDX-License-Identifier: GPL-2.0-only

import CUserfaultfd
import Scenarios
import Userfaultfd

/// Scenarios that test what runs scenarios: each does one thing wrong. They run only when they are named.
enum Harness {
    static let scenarios: [Scenario] = [
        Scenario("harness-pass", "passes", traps: false) { (context) throws(Failure) in
            context.note("all is well")
        },
        Scenario(
            "harness-skip",
            "needs what is nowhere",
            needs: [.file("/dev/uffd-selftest", "a device that does not exist")],
            traps: false
        ) { (_) throws(Failure) in },
        Scenario("harness-fail", "a check that does not hold", traps: false) { (context) throws(Failure) in
            try context.expectEqual(1 + 1, 3, "the sum")
        },
        Scenario("harness-crash", "dies of a signal", traps: false) { (_) throws(Failure) in
            cuffd_store8(0, 1)
        },
        Scenario("harness-hang", "never ends", traps: false, seconds: 1) { (_) throws(Failure) in
            while true { pause() }
        },
        Scenario("harness-leak", "leaves a process running", traps: false) { (_) throws(Failure) in
            _ = try Child { while true { pause() } }
        },
        Scenario("harness-no-trap", "sees no trap where it should") { (_) throws(Failure) in },
        Scenario(
            "harness-splat",
            "makes the kernel warn",
            needs: [.ownMachine, lkdtm],
            traps: false
        ) { (_) throws(Failure) in
            try FileAccess.write(provoke, "WARNING")
        },
        Scenario(
            "harness-oops",
            "makes the kernel oops",
            needs: [.ownMachine, lkdtm],
            traps: false
        ) { (_) throws(Failure) in
            try FileAccess.write(provoke, "EXCEPTION")
        },
        Scenario(
            "harness-unkillable",
            "sleeps so that no signal ends it",
            needs: [.ownMachine, lkdtm],
            traps: false,
            seconds: 1
        ) { (_) throws(Failure) in
            try FileAccess.write(provoke, "HUNG_TASK")
        },
        Scenario(
            "harness-panic",
            "makes the kernel panic",
            needs: [.ownMachine, lkdtm],
            traps: false
        ) { (_) throws(Failure) in
            try FileAccess.write(provoke, "PANIC")
        },
    ]

    /// Crashes of the kernel on request (`Documentation/fault-injection/provoke-crashes.rst`).
    private static let provoke = "/sys/kernel/debug/provoke-crash/DIRECT"
    private static let lkdtm = Need.file("/sys/kernel/debug/provoke-crash/DIRECT", "CONFIG_LKDTM")
}
