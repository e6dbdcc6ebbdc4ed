// SPDX-License-Identifier: GPL-2.0-only

import KernelLab

/// The name of a result, "wp-sync.anon-thp", taken apart as the reports do.
struct ScenarioName: Sendable, Hashable {
    /// "wp".
    var subject: String
    /// "wp-sync": the scenario, the same on every memory kind.
    var scenario: String
    /// "anon-thp"; nil where the scenario runs on no memory kind in particular.
    var kind: String?

    init(_ name: String) {
        let parts = ScenarioResult(number: 0, name: name, verdict: .skipped)
        subject = parts.subject
        scenario = parts.point
        kind = parts.memoryKind
    }
}
