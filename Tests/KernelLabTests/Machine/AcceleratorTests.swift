// SPDX-License-Identifier: GPL-2.0-only

import SystemPackage
import Testing

@testable import KernelLab

@Suite("Accelerator")
struct AcceleratorTests {
    private let virtualising = "processor : 0\nflags\t\t: fpu svm nx\n"

    private func host(_ cpuinfo: String, _ kvmError: Errno? = nil, architecture: String = "x86_64")
        -> HostVirtualisation
    {
        HostVirtualisation(architecture: architecture, cpuinfo: cpuinfo, kvmError: kvmError)
    }

    @Test("auto takes KVM where device and CPU have it, with TCG behind it")
    func auto() throws {
        let machine = try ShippedMachine.description()
        let plan = try host(virtualising).plan(for: machine, choice: .auto)
        #expect(plan == AcceleratorPlan(first: .kvm, fallback: .tcg))
    }

    @Test(
        "auto takes TCG, and says why, where KVM cannot work",
        arguments: [
            ("flags\t\t: fpu nx\n", nil, "x86_64", "no hardware virtualisation"),
            ("flags : fpu\nvmx flags : svm vnmi\n", nil, "x86_64", "no hardware virtualisation"),
            ("flags : vmx\n", Errno.noSuchFileOrDirectory, "x86_64", "/dev/kvm cannot be used"),
            ("flags : vmx\n", Errno.permissionDenied, "x86_64", "Permission denied"),
            ("", nil, "aarch64", "this host is aarch64, not x86_64"),
        ]
    )
    func noKVM(_ cpuinfo: String, _ kvmError: Errno?, _ architecture: String, _ reason: String) throws {
        let machine = try ShippedMachine.description()
        let plan = try host(cpuinfo, kvmError, architecture: architecture).plan(for: machine, choice: .auto)
        #expect(plan.first == .tcg && plan.fallback == nil)
        #expect(plan.note?.contains(reason) == true && plan.note?.hasSuffix("using TCG") == true)
    }

    @Test("What the user asks for is done, or refused with the reason")
    func forced() throws {
        var machine = try ShippedMachine.description()
        #expect(try host("").plan(for: machine, choice: .kvm) == AcceleratorPlan(first: .kvm, fallback: .tcg))
        #expect(try host(virtualising).plan(for: machine, choice: .tcg) == AcceleratorPlan(first: .tcg))
        #expect(throws: MachineError.self) {
            try host(virtualising, .permissionDenied).plan(for: machine, choice: .kvm)
        }
        machine.accelerators.tcg = nil
        #expect(throws: MachineError.self) { try host(virtualising).plan(for: machine, choice: .tcg) }
        #expect(throws: MachineError.self) { try host("").plan(for: machine, choice: .auto) }
        machine.accelerators.kvm = nil
        #expect(throws: MachineError.self) { try host(virtualising).plan(for: machine, choice: .kvm) }
    }

    @Test("A KVM that stays silent, or that QEMU cannot use, is left for TCG, and the run says so")
    func fallback() async throws {
        // Only the silent one may run into the limit; the others end by themselves, however slow this machine is.
        for (trouble, limit, reason) in [
            ("kill -ABRT $$", 600, "QEMU cannot use KVM (was ended by signal 6); using TCG"),
            ("exec sleep 1000", 1, "KVM gave no console byte in 1 s; using TCG"),
            (
                "echo 'failed to initialize kvm' >&2; exit 1", 600,
                "QEMU cannot use KVM (failed to initialize kvm); using TCG"
            ),
        ] {
            try await withTemporaryFolder { folder in
                var fake = try FakeQEMU(in: folder, "if [ $accel = kvm ]; then \(trouble); fi\n" + goodGuest)
                fake.machine.accelerator = .kvm
                fake.machine.description.accelerators.kvm?.firstByteSeconds = limit
                guard HostVirtualisation.current.kvmError == nil else {
                    // Without /dev/kvm, asking for it is an error, and there is nothing to fall back from.
                    await #expect(throws: MachineError.self) { try await fake.run() }
                    return
                }
                let run = try await fake.run()
                #expect(run.end == .finished && run.accelerator == .tcg && run.notes == [reason])
            }
        }
    }
}

@Suite("Watch over a machine")
struct MachineWatchTests {
    @Test("Each phase has its own limit, and what is heard moves it")
    func phases() throws {
        let machine = try ShippedMachine.description()
        let start = SuspendingClock().now
        func at(_ seconds: Int) -> SuspendingClock.Instant { start.advanced(by: .seconds(seconds)) }
        var watch = MachineWatch(limits: .init(machine, accelerator: .kvm, scale: 2), start: start)
        #expect(watch.due == at(40))
        #expect(watch.verdict(at: at(39), running: nil) == nil)
        #expect(watch.verdict(at: at(40), running: nil) == .silentAccelerator(afterSeconds: 40))
        watch.heardConsole()
        #expect(watch.due == at(180))
        #expect(watch.verdict(at: at(180), running: nil) == .hung(.boot, afterSeconds: 180))
        watch.heardResults(isOver: false, at: at(100))
        #expect(watch.due == at(460))
        watch.heardResults(isOver: false, at: at(400))
        #expect(watch.verdict(at: at(760), running: "a") == .hung(.scenarios(running: "a"), afterSeconds: 360))
        watch.heardResults(isOver: true, at: at(410))
        watch.heardResults(isOver: true, at: at(420))
        #expect(watch.due == at(470), "a guest that talks on after its last result must end all the same")
        watch.heardPanic(at: at(430))
        watch.heardPanic(at: at(440))
        #expect(watch.due == at(490))
        #expect(watch.verdict(at: at(490), running: nil) == .stuckAfterPanic)
    }

    @Test("Under TCG the console may stay silent as long as the boot may take")
    func tcg() throws {
        let start = SuspendingClock().now
        let limits = MachineWatch.Limits(try ShippedMachine.description(), accelerator: .tcg, scale: 1)
        #expect(MachineWatch(limits: limits, start: start).due == start.advanced(by: .seconds(90)))
    }
}
