// SPDX-License-Identifier: GPL-2.0-only

import Foundation
import KernelLab
import Scenarios
import SystemPackage
import Testing

@testable import rwp

/// `rwp test --expect`, and the files of the project's own.
@Suite final class ExpectedFailureTests {
    private let lab: FakeLab

    init() throws {
        lab = try FakeLab()
        try lab.write("guest", "#!/bin/sh\nprintf 'a\\tanon\\tB1\\t\\tA scenario\\nb\\tanon\\tB1\\t\\tAnother\\n'\n")
        try lab.write("project/kernel-patches/rules.toml", "[[rule]]\nid = \"B1\"\ntext = \"KSM.\"\n")
    }

    deinit { lab.remove() }

    /// Runs the one scenario, a.anon, which passes unless the program is told otherwise.
    private func run(expecting results: String, fails: Bool = false) throws -> Rwp.Result {
        if fails {
            let file = lab.folder.appendingPathComponent("bin/qemu-system-x86_64")
            let text = try String(contentsOf: file, encoding: .utf8)
                .replacingOccurrences(of: "ok 1 a.anon", with: "not ok 1 a.anon")
                .replacingOccurrences(of: "pass:1 fail:0", with: "pass:0 fail:1")
            try lab.write("bin/qemu-system-x86_64", text, executable: true)
        }
        try lab.write(
            "expected.toml",
            "seen = \"7.3.4\"\n[[expected]]\nresults = [\(results)]\nrule = \"B1\"\nwhat = \"it merges\"\nsince = \"7.3\"\n"
        )
        let file = lab.folder.appendingPathComponent("expected.toml").path
        return try lab.run([
            "test", "--tree", lab.tree, "--series", "none", "--accel", "tcg", "--results", "results", "--expect", file,
        ])
    }

    @Test func anExpectedFailureIsCountedByItself() throws {
        let result = try run(expecting: "\"a\"", fails: true)
        #expect(result.status == 0, "\(result)")
        #expect(result.output.contains("0 passed, 0 failed, 1 failed as expected, 0 skipped"), "\(result)")
        #expect(result.output.contains("expected 1: B1: it merges (since 7.3)"))
        #expect(!result.output.contains("FAIL"))
    }

    @Test func anUnexpectedPassFails() throws {
        let result = try run(expecting: "\"a\"")
        #expect(result.status == 1, "\(result)")
        #expect(result.output.contains("FAIL a.anon"))
        #expect(result.output.contains("expects it to fail (B1: it merges (since 7.3)): take it out there"))
    }

    @Test func anUnexpectedFailureFails() throws {
        let result = try run(expecting: "\"b\"", fails: true)
        #expect(result.status == 1, "\(result)")
        #expect(result.output.contains("0 passed, 1 failed, 0 skipped"))
    }

    @Test func anEntryForNoScenarioIsAnError() throws {
        let result = try run(expecting: "\"ab.anon\"")
        #expect(result.status == 2, "\(result)")
        #expect(
            result.error.contains("expected.toml:3: “expected[0].results” has “ab.anon”, which matches no scenario")
        )
        #expect(result.error.contains("the nearest result is a.anon"))
    }

    @Test func aFileThatIsNotThereIsAnError() throws {
        let result = try Rwp.run(["test", "--expect", "/nonexistent.toml"])
        #expect(result.status == 2)
        #expect(result.error.contains("--expect names /nonexistent.toml, which is not there"))
    }

    private static let root = PackageRoot(
        path: FilePath(#filePath).removingLastComponent().removingLastComponent().removingLastComponent()
    )

    private static var catalog: ScenarioCatalog {
        var catalog = ScenarioCatalog(list: "")
        catalog.entries = Catalog.scenarios.filter { !$0.isHarness }.map { scenario in
            ScenarioCatalog.Entry(
                name: "\(scenario.name)",
                kinds: scenario.kinds.map(\.name),
                rules: [],
                needs: [],
                summary: ""
            )
        }
        return catalog
    }

    @Test("docs/expected-v7.3.md is what 'rwp list --expected v7.3 --markdown' prints")
    func documentIsUpToDate() throws {
        let expectations = try Lab(root: Self.root, events: .discarding).expectations(named: "v7.3", of: Self.catalog)
        let text = try String(contentsOfFile: Self.root.path.appending("docs/expected-v7.3.md").string, encoding: .utf8)
        #expect(
            expectations.markdown(name: "v7.3") == text,
            "rwp list --expected v7.3 --markdown > docs/expected-v7.3.md"
        )
    }

    @Test func aBaseWithoutAFileIsNamed() {
        #expect(throws: CommandLineError.unknownName("v6.1", kind: "file of expected failures", known: ["v7.3"])) {
            try Lab(root: Self.root, events: .discarding).expectations(named: "v6.1", of: Self.catalog)
        }
    }
}
