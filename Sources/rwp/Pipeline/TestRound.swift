// SPDX-License-Identifier: GPL-2.0-only

import KernelLab
import SystemPackage

/// What one boot came to, and where its reports are.
struct TestRound: Sendable {
    var results: Results
    var folder: FilePath
}

extension [TestRound] {
    /// The verdicts of all boots together.
    var tally: ResultTree.Tally {
        var tally = ResultTree.Tally()
        for result in flatMap(\.results.suite.scenarios) { tally.count(result.verdict) }
        return tally
    }

    /// The failures of all boots, in order.
    var failures: [RunProgress.Failure] {
        flatMap(\.results.suite.scenarios).filter { $0.verdict == .failed }.map { RunProgress.Failure($0) }
    }

    /// The status of the worst: a machine that died hides more than a scenario that failed.
    var exitStatus: ExitStatus {
        let statuses = map(\.results.exitStatus)
        return [.machineDied, .scenarioFailed].first { statuses.contains($0) } ?? .passed
    }
}

extension RunProgress.Failure {
    /// A failure as the results have it.
    init(_ result: ScenarioResult) {
        let checks = result.failures.map { "\($0.location): \($0.message)" }
        self.init(
            name: result.name,
            reasons: (checks.isEmpty ? [result.reason].compactMap { $0 } : checks) + result.diagnostics
        )
    }
}
