// SPDX-License-Identifier: GPL-2.0-only

import Foundation
import KernelLab
import SystemPackage

/// `rwp test`: the steps from kernel source to verdict, in their order, side by side where one does not need the other.
struct TestPipeline: Sendable {
    /// What is asked for.
    struct Plan: Sendable {
        var kernel: KernelPlan
        /// What is known to fail; nil for a kernel on which nothing may.
        var expectations: ExpectationPlan?
        /// The name or the file of the machine.
        var machine: String
        var accelerator: AcceleratorChoice
        var patterns: [String]
        var skips: [String]
        /// How many times the machine is booted.
        var rounds: Int
        var timeoutScale: Int
        /// Options of the guest program about the stress scenarios.
        var load: [String] = []
        /// The folder that each boot's folder of results is made in.
        var results: FilePath
        /// The command line, for the reports.
        var command: [String]

        var namesScenarios: Bool { !patterns.isEmpty || !skips.isEmpty || expectations != nil }
    }

    var lab: Lab
    var plan: Plan

    /// Runs all of it.
    ///
    /// What can be said against the plan is said before the kernel is built: the machine, the names of scenarios.
    func run() async throws -> [TestRound] {
        let machine = try lab.machine(plan.machine)
        let (image, program, expectations) = try await imageAndProgram()
        let boot = Boot(
            lab: lab,
            plan: plan,
            machine: machine,
            image: image,
            initramfs: try await lab.initramfs(program, for: image, on: machine).path,
            expectations: expectations,
            context: ResultsContext(
                base: plan.kernel.base,
                series: plan.kernel.series,
                machine: plan.machine,
                command: plan.command
            )
        )
        var rounds: [TestRound] = []
        for round in 1...plan.rounds {
            if plan.rounds > 1 { lab.events.send(.note("boot \(round) of \(plan.rounds)")) }
            rounds.append(try await boot.run())
        }
        return rounds
    }

    /// The kernel and the guest program, made side by side.
    ///
    /// A kernel is not compiled before the guest program has said that it knows the scenarios that were named, on the
    /// command line and in the file of what is expected to fail.
    private func imageAndProgram() async throws -> (KernelImage, FilePath, Expectations?) {
        guard plan.namesScenarios else {
            let (image, program) = try await sideBySide(
                { try await lab.image(plan.kernel) },
                { try await lab.guestProgram() }
            )
            return (image, program, nil)
        }
        let (tree, (program, expectations)) = try await sideBySide(
            { try await lab.tree(for: plan.kernel) },
            {
                let program = try await lab.guestProgram()
                _ = try await ScenarioCatalog.of(program, patterns: plan.patterns, skips: plan.skips)
                return (program, try await lab.expectations(plan.expectations, of: program))
            }
        )
        return (try await lab.image(plan.kernel, from: tree), program, expectations)
    }
}
