// SPDX-License-Identifier: GPL-2.0-only

import KernelLab

extension Lab {
    /// The rules with the patches of the series that is developed, and with the scenarios.
    func ruleTable(_ catalog: ScenarioCatalog) async throws -> RuleTable {
        let name = SourceOptions.defaultBase
        return RuleTable(
            contract: try Contract(path: root.kernelPatches.appending("rules.toml")),
            series: try SeriesRules(path: root.kernelPatches.appending(name).appending("rules.toml")),
            summaries: try await series(name).summaries(),
            scenarios: catalog.entries.map { RuleTable.Scenario(name: $0.name, rules: $0.rules) }
        )
    }
}
