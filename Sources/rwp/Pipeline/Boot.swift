// SPDX-License-Identifier: GPL-2.0-only

import Foundation
import KernelLab
import SystemPackage

/// One boot of a test: the machine runs, and its results are written to a folder of their own.
struct Boot: Sendable {
    var lab: Lab
    var machine: MachineDescription
    var image: KernelImage
    var initramfs: FilePath
    var guestArguments: [String]
    var accelerator: AcceleratorChoice
    /// What every time limit is multiplied by, the host's and the guest's.
    var timeoutScale: Int
    /// The folder that the folder of results is made in.
    var results: FilePath
    /// What was tested, for the reports.
    var context: ResultsContext
    /// What is known to fail.
    var expectations: Expectations?
    /// Makes of what the guest reported what the results are to hold.
    var reading: @Sendable (SuiteResult) -> SuiteResult = { $0 }

    /// Runs it. Should the task be cancelled, the streams are kept as far as they came.
    func run() async throws -> TestRound {
        let folder = try ResultsFolder.make(in: results)
        let virtualMachine = VirtualMachine(
            description: machine,
            kernel: image.image,
            initramfs: initramfs,
            guestArguments: (timeoutScale > 1 ? ["--timeout-scale=\(timeoutScale)"] : []) + guestArguments,
            accelerator: accelerator,
            workDirectory: folder,
            events: expectations?.judging(lab.events) ?? lab.events,
            timeScale: Double(timeoutScale)
        )
        var run: MachineRun
        do {
            run = try await virtualMachine.run()
        } catch {
            keepOrRemove(folder)
            throw error
        }
        run.suite = reading(run.suite)
        if let expectations { run.suite = expectations.judging(run.suite) }
        lab.events.send(.started(.report, detail: ""))
        let results = Results(run: run, context: context)
        try results.write(to: folder)
        lab.events.send(.finished(.report, detail: folder.string))
        return TestRound(results: results, folder: folder)
    }

    /// A machine that never spoke leaves nothing; of one that was interrupted, say where to look.
    private func keepOrRemove(_ folder: FilePath) {
        if rmdir(folder.string) != 0 {
            lab.events.send(.note("what came until then is in \(folder)"))
        }
    }
}

extension Boot {
    /// The boot of a test: the guest runs the scenarios that `plan` names.
    init(
        lab: Lab,
        plan: TestPipeline.Plan,
        machine: MachineDescription,
        image: KernelImage,
        initramfs: FilePath,
        expectations: Expectations? = nil,
        context: ResultsContext
    ) {
        self.init(
            lab: lab,
            machine: machine,
            image: image,
            initramfs: initramfs,
            guestArguments: plan.load + plan.skips.map { "--skip=\($0)" } + plan.patterns,
            accelerator: plan.accelerator,
            timeoutScale: plan.timeoutScale,
            results: plan.results,
            context: context,
            expectations: expectations
        )
    }
}
