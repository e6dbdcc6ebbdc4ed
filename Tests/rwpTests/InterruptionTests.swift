// SPDX-License-Identifier: GPL-2.0-only

import Foundation
import Testing

/// The real program, stopped in every phase.
@Suite struct InterruptionTests {
    /// Whom a signal is for: a terminal sends SIGINT to the foreground group, kill(1) to one process.
    enum Target { case group, process }

    /// The phases in their order, and what hangs in each. The guest program is built beside the kernel's source.
    private static let phases: [(name: String, hanging: [String])] = [
        ("guest", ["guest", "fetch"]), ("fetch", ["fetch"]), ("unpack", ["unpack"]), ("patch", ["patch"]),
        ("configure", ["configure"]), ("compile", ["compile"]), ("initramfs", ["initramfs"]), ("boot", ["boot"]),
        ("scenarios", ["scenarios"]),
    ]

    private static let command = ["test", "--base", "v7.2", "--accel", "tcg", "--results", "results"]

    /// One cache for all: that each run comes as far as the next phase shows that the last one left it usable.
    @Test(arguments: [(SIGINT, Target.group, "compile"), (SIGTERM, .process, "")])
    func everyPhaseCanBeInterrupted(signal: Int32, target: Target, stubborn: String) throws {
        let lab = try FakeLab()
        defer { lab.remove() }
        for phase in Self.phases {
            var reached = false
            let result = try lab.run(Self.command, hanging: phase.hanging, environment: ["STUBBORN": stubborn]) {
                reached = lab.waits(in: phase.name, of: $0)
                if target == .group { try #require(getpgid($0) == $0) }
                kill(target == .group ? -$0 : $0, signal)
            }
            #expect(reached, "rwp ended before \(phase.name): \(result)")
            #expect(result.status == 128 + signal, "in \(phase.name)")
            let name = signal == SIGINT ? "SIGINT" : "SIGTERM"
            #expect(result.error.contains("rwp: interrupted by \(name)"), "in \(phase.name)")
            #expect(lab.processes == [], "in \(phase.name)")
        }
        let whole = try lab.run(Self.command)
        #expect(whole.status == 0, "\(whole)")
    }

    @Test func whoeverInsistsLeavesNoProcessBehind() throws {
        let lab = try FakeLab()
        defer { lab.remove() }
        let command = ["build", "--tree", lab.tree, "--series", "none"]
        let result = try lab.run(command, hanging: ["compile"], environment: ["STUBBORN": "compile"]) { process in
            #expect(lab.waits(in: "compile", of: process))
            while FakeLab.isRunning(process) {
                kill(process, SIGINT)
                usleep(50_000)
            }
        }
        #expect(result.status == 130)
        // Nobody waited for them: a killed process may take a moment to go.
        for _ in 0..<200 where !lab.processes.isEmpty { usleep(50_000) }
        #expect(lab.processes == [])
        let whole = try lab.run(command)
        #expect(whole.status == 0, "\(whole)")
    }
}
