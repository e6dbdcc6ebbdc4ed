// SPDX-License-Identifier: GPL-2.0-only

import ArgumentParser
import Foundation
import KernelLab
import SystemPackage

/// `rwp test`: the whole way from kernel source to verdict.
struct TestCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "test",
        abstract: "Build a kernel, boot it in QEMU, run scenarios there and report (the default command).",
        discussion: """
            Without arguments: base v7.2 with its series, every scenario, on the x86_64 machine. What was made before \
            is not made again. Results go to results/TIME as KTAP, JUnit XML, JSON and a page of HTML, with the console's log.

            A pattern is a scenario (wp-fork), one of its memory kinds (wp-fork.anon-thp) or a glob ('wp-*', '*.hugetlb').

            EXAMPLES
              rwp test                                    everything
              rwp test 'wp-*' 'missing-*'                 some subjects
              rwp test --series none                      the unpatched kernel
              rwp test --base v7.3 --series none          mainline, where known failures are expected
              rwp test --tree ~/linux --series none       a tree of yours, as it is
              rwp test --kernel bzImage --modules ./mods  a kernel that is built already
              rwp test --flavor debug --timeout-scale 4   under KASAN and lockdep
              rwp test wp-fork --repeat 20                is it stable?
              rwp test --stress 60 --seed 7 'stress-*'    random load, the same choices each time
            """
    )

    @Argument(help: ArgumentHelp("Scenario names, or globs of them (default: all).", valueName: "pattern"))
    var patterns: [String] = []

    @Option(
        name: .customLong("skip"),
        help: ArgumentHelp("Leave out what matches. May be repeated.", valueName: "pattern")
    )
    var skips: [String] = []

    @OptionGroup var kernel: KernelOptions
    @OptionGroup(title: "Virtual machine") var machine: MachineOptions

    @Option(name: .customLong("repeat"), help: ArgumentHelp("Boot and run so many times.", valueName: "n"))
    var rounds = 1

    @Option(help: ArgumentHelp("Multiply every time limit, for slow hosts and kernels.", valueName: "n"))
    var timeoutScale = 1

    @Option(
        help: ArgumentHelp(
            "Run the stress scenarios too, so long on each kind of memory (0: not at all).",
            valueName: "seconds"
        )
    )
    var stress = 0

    @Option(help: ArgumentHelp("What the choices of stress and fuzz scenarios are made of.", valueName: "n"))
    var seed = 1

    @Option(
        help: ArgumentHelp("Where each run makes the folder of its results.", valueName: "dir"),
        completion: .directory
    )
    var results = "results"

    @Option(
        name: .customLong("expect"),
        help: ArgumentHelp(
            "What is known to fail on this kernel, a TOML file, or 'none'.",
            discussion: "Without it: kernel-patches/expected/BASE.toml, where --series is none and there is one.",
            valueName: "file|none"
        ),
        completion: .file(extensions: ["toml"])
    )
    var expected: String?

    @OptionGroup var screen: ScreenOptions

    func validate() throws {
        guard (1...10_000).contains(rounds) else {
            throw CommandLineError.badValue("\(rounds)", option: "--repeat", allowed: "a number from 1 to 10000")
        }
        guard (0...1_000_000).contains(stress) else {
            throw CommandLineError.badValue("\(stress)", option: "--stress", allowed: "a number from 0 to 1000000")
        }
        guard seed >= 0 else {
            throw CommandLineError.badValue("\(seed)", option: "--seed", allowed: "a number from 0 on")
        }
        guard (1...1000).contains(timeoutScale) else {
            throw CommandLineError.badValue(
                "\(timeoutScale)",
                option: "--timeout-scale",
                allowed: "a number from 1 to 1000"
            )
        }
    }

    /// What the guest program is told of load.
    private var load: [String] {
        (stress > 0 ? ["--stress=\(stress)"] : []) + (seed != 1 ? ["--seed=\(seed)"] : [])
    }

    func run() async throws {
        let started = ContinuousClock.now
        let root = try PackageRoot.find()
        let rounds = try await Screen.during(screen.reader(on: .output, title: title)) { events in
            let lab = Lab(root: root, events: events)
            return try await TestPipeline(lab: lab, plan: try plan(lab)).run()
        }
        if !screen.quiet {
            let again = RerunCommand(arguments: CommandLine.arguments, patterns: patterns)
            let ink = Ink.of(STDOUT_FILENO, environment: ProcessInfo.processInfo.environment)
            Output.standardOutput.write(Summary(rounds: rounds, elapsed: .now - started, again: again).text(ink))
        }
        if rounds.exitStatus != .passed { throw ExitCode(rounds.exitStatus.rawValue) }
    }

    private func plan(_ lab: Lab) throws -> TestPipeline.Plan {
        TestPipeline.Plan(
            kernel: try lab.kernelPlan(kernel),
            expectations: try lab.expectationPlan(expected, kernel: kernel),
            machine: machine.machine,
            accelerator: machine.accel,
            patterns: patterns,
            skips: skips,
            rounds: rounds,
            timeoutScale: timeoutScale,
            load: load,
            results: FilePath(results),
            command: CommandLine.arguments
        )
    }

    /// What is tested, for the first line of a live screen.
    private var title: String {
        if let image = kernel.kernel { return "rwp test, kernel \(image)" }
        let source = kernel.source.tree ?? "linux \(kernel.source.base ?? SourceOptions.defaultBase)"
        return "rwp test, \(source)" + (kernel.source.series.map { ", series \($0)" } ?? "")
    }
}
