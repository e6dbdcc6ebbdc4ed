// SPDX-License-Identifier: GPL-2.0-only

import ArgumentParser
import Foundation
import KernelLab
import SystemPackage

/// `rwp kselftest`: the kernel tree's own selftests, on a kernel in a virtual machine.
struct KselftestCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "kselftest",
        abstract: "Build the kernel tree's own selftests and run them in a virtual machine.",
        discussion: """
            A test is named as kselftest does: COLLECTION:TEST, a folder of tools/testing/selftests and a program in it. \
            It is built from the tree that the kernel is built from, its KTAP becomes results of ours, and each of \
            its tests is one. A collection alone lists its tests. Scripts do not run: the machine has no shell.

            With --against, the same programs run on a second kernel first, and what differs is shown: exit status 1 \
            if anything is worse than there, whatever fails on both.

            EXAMPLES
              rwp kselftest mm:uffd-unit-tests                    on base v7.2 with its series
              rwp kselftest mm:cow mm:migration --series none     on the unpatched kernel
              rwp kselftest mm:cow mm:pagemap_ioctl --against stock
              rwp kselftest mm:uffd-unit-tests -- -f wp-fork      arguments for the test
              rwp kselftest mm:cow --kernel bzImage --selftests-from ~/linux
            """
    )

    @Argument(
        help: ArgumentHelp(
            "The tests, as in mm:uffd-unit-tests; words after '--' are arguments of the test, of which there is one then.",
            valueName: "collection:test"
        )
    )
    var words: [String]

    /// What stands after `--`, for the test. The parser gives it with what stands before, and allows no second list.
    private var arguments: [String] {
        let all = CommandLine.arguments
        return all.firstIndex(of: "--").map { Array(all[($0 + 1)...]) } ?? []
    }

    private var tests: [String] { words.dropLast(arguments.count) }

    @Option(
        help: ArgumentHelp(
            "A kernel tree whose tests to build (default: the kernel's own tree; with --kernel: \(SourceOptions.defaultBase)).",
            valueName: "tree"
        ),
        completion: .directory
    )
    var selftestsFrom: String?

    @OptionGroup var reference: ReferenceOptions

    @OptionGroup var kernel: KernelOptions
    @OptionGroup(title: "Virtual machine") var machine: KselftestMachineOptions

    @Option(help: ArgumentHelp("Multiply every time limit, for slow hosts and kernels.", valueName: "n"))
    var timeoutScale = 1

    @Option(
        help: ArgumentHelp("Where each boot makes the folder of its results.", valueName: "dir"),
        completion: .directory
    )
    var results = "results"

    @OptionGroup var screen: ScreenOptions

    func validate() throws {
        if tests.isEmpty { throw ValidationError("a test is to be named before '--', as in mm:cow") }
        guard (1...1000).contains(timeoutScale) else {
            throw CommandLineError.badValue(
                "\(timeoutScale)",
                option: "--timeout-scale",
                allowed: "a number from 1 to 1000"
            )
        }
        for test in tests { _ = try KselftestName(parsing: test) }
        if !arguments.isEmpty, tests.count > 1 {
            throw CommandLineError.contradiction(
                "arguments after '--'",
                "more than one test",
                wayOut: "run the test that they are for alone"
            )
        }
        for argument in arguments where argument.contains(where: { $0 == "\t" || $0.isNewline }) {
            throw KselftestError.badArgument(argument)
        }
        try reference.validate(with: kernel)
    }

    func run() async throws {
        let started = ContinuousClock.now
        let root = try PackageRoot.find()
        let outcome = try await Screen.during(screen.reader(on: .output, title: "rwp kselftest")) { events in
            let lab = Lab(root: root, events: events)
            return try await KselftestPipeline(lab: lab, plan: try plan(lab)).run()
        }
        let comparison = outcome.reference.map {
            KselftestComparison(reference: $0.results.suite, tested: outcome.tested.results.suite)
        }
        if !screen.quiet {
            let ink = Ink.of(STDOUT_FILENO, environment: ProcessInfo.processInfo.environment)
            let again = RerunCommand(arguments: CommandLine.arguments, patterns: tests)
            let summary = Summary(rounds: outcome.rounds, elapsed: .now - started, again: again)
            Output.standardOutput.write(summary.text(ink))
            if let comparison { Output.standardOutput.write("\n" + ComparisonText.of(comparison, ink: ink)) }
        }
        let status = Self.exitStatus(outcome.rounds.exitStatus, comparison)
        if status != .passed { throw ExitCode(status.rawValue) }
    }

    /// What fails on both kernels is no news of the one under test; a machine that died hides what it would have been.
    static func exitStatus(_ worst: ExitStatus, _ comparison: KselftestComparison?) -> ExitStatus {
        guard let comparison, worst != .machineDied else { return worst }
        return comparison.isWorse ? .scenarioFailed : .passed
    }

    private func plan(_ lab: Lab) throws -> KselftestPipeline.Plan {
        let kernelPlan = try lab.kernelPlan(kernel)
        var seen: Set<KselftestName> = []
        return KselftestPipeline.Plan(
            tests: try tests.map { try KselftestName(parsing: $0) }.filter { seen.insert($0).inserted },
            arguments: arguments,
            selftests: selftestsFrom.map { FilePath($0) },
            kernel: kernelPlan,
            reference: try reference.against.map { try lab.referencePlan($0, for: kernelPlan, build: kernel.build) },
            machine: machine.machine,
            accelerator: machine.accel,
            timeoutScale: timeoutScale,
            results: FilePath(results),
            command: CommandLine.arguments
        )
    }
}

/// The virtual machine that selftests run on.
struct KselftestMachineOptions: ParsableArguments {
    @Option(help: ArgumentHelp("A machine of qemu-images/machines, or a TOML file of yours.", valueName: "name|file"))
    var machine = "x86_64-kselftest"

    @Option(help: "What runs the machine's CPUs; auto takes KVM where the CPU has it.")
    var accel = AcceleratorChoice.auto
}
