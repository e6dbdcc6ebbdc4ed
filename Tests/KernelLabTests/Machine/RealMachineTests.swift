// SPDX-License-Identifier: GPL-2.0-only

import Foundation
import SystemPackage
import Testing

@testable import KernelLab

/// A real kernel and the real guest program, where the environment names them.
enum RealMachine {
    private static func file(_ variable: String) -> FilePath? {
        ProcessInfo.processInfo.environment[variable].map { FilePath($0) }
    }

    static let kernel = file("RWP_TEST_KERNEL")
    static let initramfs = file("RWP_TEST_INITRAMFS")

    static let isThere = kernel != nil && initramfs != nil

    static let howTo: Comment = """
        set RWP_TEST_KERNEL to a kernel image and RWP_TEST_INITRAMFS to an initramfs with uffd-selftest as /init; \
        scripts/test builds both and sets them
        """
}

@Suite("Virtual machine, real", .serialized, .enabled(if: RealMachine.isThere, RealMachine.howTo))
struct RealMachineTests {
    /// Runs the guest program with `arguments`, on a machine that `change` may spoil.
    private func run(
        _ arguments: [String],
        accelerator: AcceleratorChoice = .auto,
        change: (inout MachineDescription) -> Void = { _ in }
    ) async throws -> MachineRun {
        try await withTemporaryFolder { folder in
            var description = try ShippedMachine.description()
            change(&description)
            return try await VirtualMachine(
                description: description,
                kernel: try #require(RealMachine.kernel),
                initramfs: try #require(RealMachine.initramfs),
                guestArguments: arguments,
                accelerator: accelerator,
                workDirectory: folder
            ).run()
        }
    }

    /// The verdicts by name, without the guest's own checks of the kernel's log.
    private static func verdicts(_ run: MachineRun) -> [String: Verdict] {
        let results = run.suite.scenarios.filter { $0.name.hasPrefix("harness-") }
        return Dictionary(results.map { ($0.name, $0.verdict) }) { _, last in last }
    }

    @Test("Scenarios that fail, crash, hang, leak or skip, and the one after them passes")
    func verdicts() async throws {
        let run = try await run([
            "harness-fail", "harness-crash", "harness-hang", "harness-leak", "harness-skip", "harness-pass",
        ])
        #expect(run.end == .finished && run.suite.protocolErrors == [] && run.suite.isComplete)
        let verdicts = Self.verdicts(run)
        #expect(
            verdicts == [
                "harness-fail": .failed, "harness-crash": .failed, "harness-hang": .failed, "harness-leak": .failed,
                "harness-skip": .skipped, "harness-pass": .passed,
            ]
        )
        #expect(run.suite.scenarios.allSatisfy { $0.verdict == .passed || $0.reason != nil })
        #expect(run.kernelRelease != nil && run.bootTime != nil)
        // The guest's own check of the log up to the first scenario: the machine that we describe pleases the kernel.
        #expect(run.suite.scenarios.first { $0.name == "kernel-log-boot" }?.reason == nil)
    }

    @Test("A kernel that warns or oopses fails the scenario and runs the next one", arguments: ["splat", "oops"])
    func splat(_ kind: String) async throws {
        let run = try await run(["harness-\(kind)", "harness-pass"])
        #expect(run.end == .finished && run.suite.protocolErrors == [])
        let results = Self.verdicts(run)
        // Without CONFIG_LKDTM the kernel cannot be provoked, and the guest says so.
        let provoked = try #require(results["harness-\(kind)"])
        #expect(provoked != .passed && results["harness-pass"] == .passed)
    }

    @Test("A kernel that panics is told from one that powers off, and the scenario is named")
    func panic() async throws {
        let run = try await run(["harness-panic"])
        if let verdict = Self.verdicts(run)["harness-panic"] {
            // A kernel without sysrq cannot be made to panic, and the guest says so.
            #expect(verdict == .skipped && run.end == .finished)
            return
        }
        guard case .panicked(_, let running) = run.end else {
            Issue.record("the end is \(run.end)")
            return
        }
        #expect(running == "harness-panic" && run.suite.running == "harness-panic")
    }

    @Test("A machine whose CPUs never start hangs before its first result")
    func neverStarts() async throws {
        let run = try await run(["harness-pass"], accelerator: .tcg) { machine in
            machine.qemu.arguments.append("-S")
            machine.limits.bootSeconds = 3
        }
        #expect(run.end == .hung(.boot, afterSeconds: 3) && run.suite.scenarios == [])
    }

    @Test("A guest that hangs before its first line, and one that hangs at power-off")
    func guestHangs() async throws {
        let early = try await run(["--harness-hang=init", "harness-pass"], accelerator: .tcg) {
            $0.limits.bootSeconds = 15
        }
        #expect(early.end == .hung(.boot, afterSeconds: 15) && !early.lastConsoleLines.isEmpty)
        let late = try await run(["--harness-hang=poweroff", "harness-pass"], accelerator: .tcg) {
            $0.limits.powerOffSeconds = 3
        }
        #expect(late.end == .hung(.powerOff, afterSeconds: 3) && late.suite.isComplete)
    }

    @Test("A stream that is cut, and a plan that promises too much")
    func badStreams() async throws {
        let cut = try await run(["--harness-cut", "harness-pass"])
        #expect(cut.end == .endedEarly(running: cut.suite.running))
        #expect(cut.suite.protocolErrors.contains { $0.kind == .cutOff })
        let short = try await run(["--harness-badplan", "harness-pass"])
        #expect(!short.suite.isComplete && !short.suite.protocolErrors.isEmpty)
    }

    @Test("QEMU refuses a machine that it does not know")
    func refused() async throws {
        let error = await #expect(throws: MachineError.self) {
            try await run([], accelerator: .tcg) { $0.qemu.machine = "pdp-11" }
        }
        #expect(error?.exitStatus == .environment && error?.description.contains("unsupported machine type") == true)
    }
}
