// SPDX-License-Identifier: GPL-2.0-only

import Foundation
import KernelLab
import Scenarios
import SystemPackage
import Testing

@testable import rwp

/// The project's own table of rules.
@Suite struct RulesTests {
    private static let root = PackageRoot(
        path: FilePath(#filePath).removingLastComponent().removingLastComponent().removingLastComponent()
    )

    /// Whether the series has the patch that lets programs arm anything; before it, rules wait for their patches.
    private static var isSeriesWhole: Bool {
        let text = try? String(
            contentsOfFile: root.kernelPatches.appending("v7.2").appending("rules.toml").string,
            encoding: .utf8
        )
        return text?.contains("UFFDIO_REGISTER_MODE_RWP") == true
    }

    private func table() async throws -> RuleTable {
        let entries = Catalog.scenarios.filter { !$0.isHarness }.map { scenario in
            ScenarioCatalog.Entry(
                name: "\(scenario.name)",
                kinds: [],
                rules: "\(scenario.rules)".split(separator: " ").map(String.init),
                needs: [],
                summary: ""
            )
        }
        var catalog = ScenarioCatalog(list: "")
        catalog.entries = entries
        return try await Lab(root: Self.root, events: .discarding).ruleTable(catalog)
    }

    @Test("docs/rules.md is what 'rwp list --rules --markdown' prints", .enabled(if: isSeriesWhole))
    func documentIsUpToDate() async throws {
        let text = try String(contentsOfFile: Self.root.path.appending("docs/rules.md").string, encoding: .utf8)
        #expect(try await table().markdown == text, "rwp list --rules --markdown > docs/rules.md")
    }

    @Test("Every rule has its scenarios and its patches", .enabled(if: isSeriesWhole))
    func nothingIsUncovered() async throws {
        #expect(try await table().problems == [])
    }
}
