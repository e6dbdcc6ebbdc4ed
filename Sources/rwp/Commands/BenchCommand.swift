// SPDX-License-Identifier: GPL-2.0-only

import ArgumentParser
import Foundation
import KernelLab
import SystemPackage

/// `rwp bench`: figures of what protection costs, on one kernel or on two.
struct BenchCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bench",
        abstract: "Measure in a virtual machine what protection costs, and print a table.",
        discussion: """
            Nothing is asserted of the figures: they are for people to compare, between memory kinds and kernels. \
            Each is the best of several rounds, and of all boots with --repeat. Without hardware virtualisation \
            they tell emulation's costs, of which only the relations mean something.

            With --against, a second kernel is measured first, and each figure has its change from there.

            EXAMPLES
              rwp bench                                every benchmark
              rwp bench 'bench-rwp-*' --repeat 5       some, the best of five boots
              rwp bench 'bench-wp-*' --against stock   what the series costs those who do not use it
              rwp bench --kernel bzImage --against other/bzImage
            """
    )

    @Argument(
        help: ArgumentHelp(
            "Benchmarks, or globs of them; they begin with 'bench-' (default: all).",
            valueName: "pattern"
        )
    )
    var patterns: [String] = []

    @OptionGroup var reference: ReferenceOptions

    @OptionGroup var kernel: KernelOptions
    @OptionGroup(title: "Virtual machine") var machine: MachineOptions

    @Option(name: .customLong("repeat"), help: ArgumentHelp("Boot and measure so many times.", valueName: "n"))
    var rounds = 1

    @Option(
        help: ArgumentHelp("Where each boot makes the folder of its results.", valueName: "dir"),
        completion: .directory
    )
    var results = "results"

    @OptionGroup var screen: ScreenOptions

    func validate() throws {
        guard (1...10_000).contains(rounds) else {
            throw CommandLineError.badValue("\(rounds)", option: "--repeat", allowed: "a number from 1 to 10000")
        }
        for pattern in patterns where !pattern.hasPrefix("bench-") {
            throw CommandLineError.badValue(pattern, option: "a benchmark's name", allowed: "what begins with 'bench-'")
        }
        try reference.validate(with: kernel)
    }

    func run() async throws {
        let started = ContinuousClock.now
        let root = try PackageRoot.find()
        let (compared, tested) = try await Screen.during(screen.reader(on: .output, title: "rwp bench")) { events in
            let lab = Lab(root: root, events: events)
            let subject = try lab.kernelPlan(kernel)
            let other = try reference.against.map { try lab.referencePlan($0, for: subject, build: kernel.build) }
            var compared: [TestRound]?
            if let other { compared = try await TestPipeline(lab: lab, plan: plan(other)).run() }
            return (compared, try await TestPipeline(lab: lab, plan: plan(subject)).run())
        }
        let boots = (compared ?? []) + tested
        if !screen.quiet {
            let again = RerunCommand(arguments: CommandLine.arguments, patterns: patterns)
            let ink = Ink.of(STDOUT_FILENO, environment: ProcessInfo.processInfo.environment)
            Output.standardOutput.write(Summary(rounds: boots, elapsed: .now - started, again: again).text(ink) + "\n")
        }
        let table = FigureTable(
            figures: FigureSheet(tested.map(\.results.suite)),
            reference: compared.map { FigureSheet($0.map(\.results.suite)) }
        )
        Output.standardOutput.write(table.text(.standardOutput))
        if boots.exitStatus != .passed { throw ExitCode(boots.exitStatus.rawValue) }
    }

    private func plan(_ kernel: KernelPlan) -> TestPipeline.Plan {
        TestPipeline.Plan(
            kernel: kernel,
            machine: machine.machine,
            accelerator: machine.accel,
            patterns: patterns.isEmpty ? ["bench-*"] : patterns,
            skips: [],
            rounds: rounds,
            timeoutScale: 4,
            results: FilePath(results),
            command: CommandLine.arguments
        )
    }
}
