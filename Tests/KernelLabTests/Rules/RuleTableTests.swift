// SPDX-License-Identifier: GPL-2.0-only

import Foundation
import SystemPackage
import Testing

@testable import KernelLab

@Suite struct RuleTableTests {
    private func table(
        patchRules: [String] = ["A1"],
        subject: String = "mm: one",
        scenarios: [RuleTable.Scenario] = [.init(name: "a", rules: ["A1"])]
    ) async throws -> RuleTable {
        try await withTemporaryFolder { folder in
            let contract = folder.appending("contract.toml")
            try contract.write(
                """
                [[rule]]
                id = "A1"
                text = "One | two."
                [[rule]]
                id = "A2"
                text = "Later."
                later = "reasons"

                """
            )
            let series = folder.appending("rules.toml")
            try series.write("[[patch]]\nsubject = \"\(subject)\"\nrules = \(patchRules)\n")
            return RuleTable(
                contract: try Contract(path: contract),
                series: try SeriesRules(path: series),
                summaries: [PatchSummary(name: "0001-mm-one.patch", subject: "mm: one", changes: [])],
                scenarios: scenarios
            )
        }
    }

    @Test func bringsRulesPatchesAndScenariosTogether() async throws {
        let table = try await table()
        #expect(table.problems.isEmpty)
        #expect(table.rows[0].patches == ["0001"] && table.rows[0].scenarios == ["a"])
        #expect(table.markdown.contains("| **A1** | One \\| two. | 0001 | `a` |\n"))
        #expect(table.markdown.contains("| **A2** | Later. |  | later: reasons |\n"))
        #expect(table.markdown.contains("| 0001 | mm: one | A1 |\n"))
    }

    @Test func aRuleThatNothingCoversIsAProblem() async throws {
        #expect(try await table(scenarios: []).problems == ["no scenario covers rule A1"])
        #expect(try await table(patchRules: []).problems == ["no patch implements rule A1"])
    }

    @Test func whatIsNotThereIsAProblem() async throws {
        let stranger = RuleTable.Scenario(name: "b", rules: ["Z9"])
        let problems = try await table(scenarios: [stranger, .init(name: "a", rules: ["A1"])]).problems
        #expect(problems == ["scenario b cites rule Z9, which is not in the contract"])
        #expect(try await table(subject: "mm: gone").problems.count == 3)
    }
}
