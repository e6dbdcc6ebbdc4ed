// SPDX-License-Identifier: GPL-2.0-only

import Foundation
import KernelLab
import SystemPackage

/// One boot of a test: the machine runs, and its results are written to a folder of their own.
struct Boot: Sendable {
    var lab: Lab
    var plan: TestPipeline.Plan
    var machine: MachineDescription
    var image: KernelImage
    var initramfs: FilePath
    /// What was tested, for the reports.
    var context: ResultsContext

    /// Runs it. Should the task be cancelled, the streams are kept as far as they came.
    func run() async throws -> TestRound {
        let folder = try ResultsFolder.make(in: plan.results)
        let virtualMachine = VirtualMachine(
            description: machine,
            kernel: image.image,
            initramfs: initramfs,
            guestArguments: guestArguments,
            accelerator: plan.accelerator,
            workDirectory: folder,
            events: lab.events,
            timeScale: Double(plan.timeoutScale)
        )
        let run: MachineRun
        do {
            run = try await virtualMachine.run()
        } catch {
            keepOrRemove(folder)
            throw error
        }
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

    private var guestArguments: [String] {
        (plan.timeoutScale > 1 ? ["--timeout-scale=\(plan.timeoutScale)"] : [])
            + plan.skips.map { "--skip=\($0)" } + plan.patterns
    }
}
