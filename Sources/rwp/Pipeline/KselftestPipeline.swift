// SPDX-License-Identifier: GPL-2.0-only

import Foundation
import KernelLab
import SystemPackage

/// `rwp kselftest`: from a kernel tree's selftests to their results on one kernel, or on two.
struct KselftestPipeline: Sendable {
    /// What is asked for.
    struct Plan: Sendable {
        var tests: [KselftestName]
        /// What the test gets, where there is just one.
        var arguments: [String]
        /// The tree whose tests are built; nil: the kernel's own.
        var selftests: FilePath?
        var kernel: KernelPlan
        /// The kernel to compare with; nil where there is none.
        var reference: KernelPlan?
        /// The name or the file of the machine.
        var machine: String
        var accelerator: AcceleratorChoice
        var timeoutScale: Int
        /// The folder that each boot's folder of results is made in.
        var results: FilePath
        /// The command line, for the reports.
        var command: [String]
    }

    /// What came of it.
    struct Outcome: Sendable {
        /// The results on the kernel to compare with; nil where there was none.
        var reference: TestRound?
        var tested: TestRound

        /// All boots, in their order.
        var rounds: [TestRound] { [reference].compactMap { $0 } + [tested] }
    }

    var lab: Lab
    var plan: Plan

    /// Runs all of it; what can be said against the names of tests is said before anything is built.
    func run() async throws -> Outcome {
        let machine = try lab.machine(plan.machine)
        let source = try await source()
        let catalog = try KselftestCatalog(tree: source.path)
        for test in plan.tests { try catalog.check(test) }
        let (tests, program) = try await sideBySide({ try await build(from: source) }, { try await lab.guestProgram() })

        var reference: TestRound?
        if let other = plan.reference {
            lab.events.send(.note("the kernel to compare with: \(other.base), \(other.series ?? "no series")"))
            reference = try await boot(other, tests, program, machine)
            lab.events.send(.note("the kernel under test: \(plan.kernel.base), \(plan.kernel.series ?? "no series")"))
        }
        return Outcome(reference: reference, tested: try await boot(plan.kernel, tests, program, machine))
    }

    // MARK: Tests

    /// The tree whose tests are built.
    private func source() async throws -> SourceTree {
        if let path = plan.selftests { return try await lab.pristineTree(.tree(path)) }
        if let tree = try await lab.tree(for: plan.kernel) { return tree }
        lab.events.send(
            .note("the tests are those of \(SourceOptions.defaultBase) (--selftests-from names another tree)")
        )
        return try await lab.pristineTree(.base(SourceOptions.defaultBase))
    }

    private func build(from source: SourceTree) async throws -> [BuiltKselftest] {
        let build = KselftestBuild(source: source, architecture: lab.architecture, cache: lab.cache, events: lab.events)
        return try await build.build(plan.tests)
    }

    // MARK: Boot

    private func boot(
        _ kernel: KernelPlan,
        _ tests: [BuiltKselftest],
        _ program: FilePath,
        _ description: MachineDescription
    ) async throws -> TestRound {
        var machine = description
        let image = try await lab.image(kernel)
        let list = GuestProgramList(tests, arguments: plan.arguments)
        let initramfs = try await list.packing { extras in
            try await lab.initramfs(program, for: image, on: description, adding: extras)
        }
        // The guest's watchdog ends a test that hangs; only then may the host find the machine too silent.
        let longest = tests.map(\.seconds).max() ?? 0
        machine.limits.silenceSeconds = max(machine.limits.silenceSeconds, longest + machine.limits.bootSeconds)
        let names = Set(tests.map(\.name.description))
        var listening = lab
        listening.events = KselftestStream(names, to: lab.events).sink
        return try await Boot(
            lab: listening,
            machine: machine,
            image: image,
            initramfs: initramfs.path,
            guestArguments: ["--run=\(GuestProgramList.path)"],
            accelerator: plan.accelerator,
            timeoutScale: plan.timeoutScale,
            results: plan.results,
            context: ResultsContext(
                base: kernel.base,
                series: kernel.series,
                machine: plan.machine,
                command: plan.command
            ),
            reading: { $0.expandingKselftests(names) }
        ).run()
    }
}

extension Lab {
    /// The kernel that `--against` names: an image, or the one under test as it is without patches.
    func referencePlan(_ name: String, for kernel: KernelPlan, build: BuildOptions) throws -> KernelPlan {
        guard name == "stock" else {
            guard FileManager.default.isReadableFile(atPath: name) else {
                throw CommandLineError.unreadable(name, option: "--against")
            }
            return .brought(KernelImage(image: FilePath(name)))
        }
        switch kernel {
        case .built(let source, _) where source.request.isInPlace:
            throw CommandLineError.contradiction(
                "--against stock",
                "--in-place",
                wayOut: "the tree has the patches then, so leave --in-place out"
            )
        case .brought:
            let request = SourceRequest.base(try Base(SourceOptions.defaultBase).description)
            return .built(SourcePlan(request: request, series: .chosen(.none)), try configuration(build))
        case .built(let source, let configuration):
            return .built(SourcePlan(request: source.request, series: .chosen(.none)), configuration)
        }
    }
}
