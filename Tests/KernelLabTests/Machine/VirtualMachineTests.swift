// SPDX-License-Identifier: GPL-2.0-only

import Foundation
import SystemPackage
import Testing

@testable import KernelLab

@Suite("Virtual machine, with a script in QEMU's place")
struct VirtualMachineTests {
    /// Runs a script; `limit` replaces all of the machine's limits, in seconds.
    private func run(
        _ body: String,
        limits: MachineDescription.Limits? = nil,
        check: (MachineRun, FakeQEMU) throws -> Void
    ) async throws {
        try await withTemporaryFolder { folder in
            var fake = try FakeQEMU(in: folder, body)
            if let limits { fake.machine.description.limits = limits }
            let run = try await fake.run()
            #expect(try !fake.isRunning(), "QEMU is still there")
            #expect(try fake.machine.workDirectory.names() == ["console.log", "ktap.txt"])
            try check(run, fake)
        }
    }

    private func limits(boot: Int = 600, silence: Int = 600, powerOff: Int = 600) -> MachineDescription.Limits {
        .init(bootSeconds: boot, silenceSeconds: silence, powerOffSeconds: powerOff)
    }

    @Test("A guest that reports and powers off is finished")
    func finished() async throws {
        try await run(goodGuest) { run, _ in
            #expect(run.end == .finished && run.suite.isComplete && run.suite.protocolErrors == [])
            #expect(run.kernelRelease == "7.2.13-rwp" && run.qemuVersion == "7.2.22" && run.accelerator == .tcg)
            #expect(run.bootTime != nil && run.notes == [])
            #expect(run.lastConsoleLines == ["Linux version 7.2.13-rwp (gcc)"])
            let (console, ktap) = (try run.consoleLog.text(), try run.ktapLog.text())
            #expect(console == "Linux version 7.2.13-rwp (gcc)\n")
            #expect(ktap.hasPrefix("KTAP version 1\n1..2\n"))
        }
    }

    @Test("Bail out and power-off is an end, too")
    func bailOut() async throws {
        try await run("printf 'KTAP version 1\\n1..2\\nBail out! no swap\\n' >&4") { run, _ in
            #expect(run.end == .finished && run.suite.bailOut == "no swap")
        }
    }

    @Test("A panic is told from a power-off and names the scenario")
    func panic() async throws {
        let body = halfGuest + "\necho '[ 1.2] Kernel panic - not syncing: sysrq triggered crash' >&3"
        try await run(body) { run, _ in
            #expect(run.end == .panicked(reason: "sysrq triggered crash", running: "b.shmem"))
            #expect(run.end.description == "the kernel panicked while b.shmem was running: sysrq triggered crash")
            #expect(run.suite.scenarios.map(\.name) == ["a.anon"] && run.suite.running == "b.shmem")
            #expect(run.end.exitStatus == .machineDied)
        }
    }

    @Test("A kernel that panics and does not reset is ended, and it still is a panic")
    func stuckPanic() async throws {
        let body = "echo 'Kernel panic - not syncing: stuck' >&3\nexec sleep 1000"
        try await run(body, limits: limits(powerOff: 1)) { run, _ in
            #expect(run.end == .panicked(reason: "stuck", running: nil))
        }
    }

    @Test("A machine that hangs before its first result")
    func hangAtBoot() async throws {
        try await run("echo booting >&3\nexec sleep 1000", limits: limits(boot: 1)) { run, _ in
            #expect(run.end == .hung(.boot, afterSeconds: 1))
            #expect(run.lastConsoleLines == ["booting"] && run.bootTime == nil)
        }
    }

    @Test("A machine that hangs in a scenario")
    func hangInScenario() async throws {
        try await run(halfGuest + "\nexec sleep 1000", limits: limits(silence: 1)) { run, _ in
            #expect(run.end == .hung(.scenarios(running: "b.shmem"), afterSeconds: 1))
            #expect(run.end.description.contains("while b.shmem was running"))
            #expect(run.suite.scenarios.map(\.name) == ["a.anon"])
        }
    }

    @Test("A machine that hangs at power-off, also where it ignores SIGTERM")
    func hangAtPowerOff() async throws {
        let body = goodGuest + "\ntrap '' TERM\nwhile :; do sleep 1000; done"
        try await run(body, limits: limits(powerOff: 1)) { run, _ in
            #expect(run.end == .hung(.powerOff, afterSeconds: 1))
            #expect(run.suite.isComplete)
        }
    }

    @Test("A machine that powers off too early")
    func endedEarly() async throws {
        try await run(halfGuest) { run, _ in
            #expect(run.end == .endedEarly(running: "b.shmem"))
            #expect(run.suite.protocolErrors.map(\.kind) == [.cutOff])
        }
    }

    @Test("A QEMU that is killed, even after the last result")
    func killed() async throws {
        try await run(goodGuest + "\nkill -9 $$") { run, _ in
            #expect(run.end == .qemuDied(how: "was ended by signal 9", messages: [], running: nil))
            #expect(run.suite.isComplete)
        }
        try await run(halfGuest + "\necho 'qemu: out of memory' >&2\nexit 1") { run, _ in
            #expect(
                run.end
                    == .qemuDied(
                        how: "exited with status 1",
                        messages: ["qemu: out of memory"],
                        running: "b.shmem"
                    )
            )
        }
    }

    @Test("A guest that writes megabytes is neither stopped nor cut")
    func flood() async throws {
        let body = """
            printf 'KTAP version 1\\n1..1\\n' >&4
            head -c 3000000 /dev/zero | tr '\\0' x | fold -w 99 | sed 's/^/# /' >&4
            head -c 3000000 /dev/zero | tr '\\0' y | fold -w 99 >&3
            printf '\\nok 1 a\\n' >&4
            """
        try await run(body) { run, _ in
            #expect(run.end == .finished)
            #expect((run.suite.scenarios.first?.diagnostics.count ?? 0) >= 30_000)
        }
    }

    @Test("A cancelled run leaves no QEMU behind")
    func cancelled() async throws {
        try await withTemporaryFolder { folder in
            var fake = try FakeQEMU(in: folder, halfGuest + "\nexec sleep 1000")
            let (lines, continuation) = AsyncStream<KTAPEvent>.makeStream()
            fake.machine.events = EventSink { if case .ktap(let event) = $0 { continuation.yield(event) } }
            let task = Task { [machine = fake.machine] in try await machine.run() }
            for await line in lines where line == .running(name: "b.shmem") { break }
            task.cancel()
            await #expect(throws: CancellationError.self) { try await task.value }
            #expect(try !fake.isRunning())
        }
    }

    @Test("The guest program gets the machine's arguments and ours, after the kernel's")
    func arguments() async throws {
        try await withTemporaryFolder { folder in
            var fake = try FakeQEMU(in: folder, "printf '%s\\n' \"$@\" > '\(folder)/args'\n" + goodGuest)
            fake.machine.guestArguments = ["rwp-*", "with space"]
            let run = try await fake.run()
            #expect(run.kernelCommandLine.hasSuffix(" -- --swap-mb=512 --huge-pages=32 rwp-* \"with space\""))
            let arguments = try folder.appending("args").text().split(separator: "\n").map(String.init)
            #expect(Array(run.qemuCommand.dropFirst()) == arguments)
            #expect(arguments.contains("virtserialport,chardev=ktap,name=org.uffd-rwp.ktap"))
            #expect(arguments.contains("node,nodeid=1,memdev=memory1,cpus=1"))
        }
    }

    @Test("A folder with a comma in its name")
    func comma() async throws {
        try await withTemporaryFolder { folder in
            var fake = try FakeQEMU(in: folder, goodGuest)
            fake.machine.workDirectory = folder.appending("a,b")
            #expect(try await fake.run().end == .finished)
        }
    }
}
