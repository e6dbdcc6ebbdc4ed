// SPDX-License-Identifier: GPL-2.0-only

import KernelLab
import Testing

@Suite struct FigureTests {
    private func result(_ name: String, _ diagnostics: String...) -> ScenarioResult {
        ScenarioResult(number: 1, name: name, verdict: .passed, diagnostics: diagnostics)
    }

    @Test func figuresAreReadAndTextIsLeft() {
        let result = result("bench-a.anon", "figure: arm 12 ns/MiB", "seed 4", "figure: x y z", "figure: odd 1")
        #expect(result.figures == [Figure(name: "arm", value: 12, unit: "ns/MiB")])
    }

    @Test func aSheetHasTheBestOfAllBootsByKind() {
        let first = SuiteResult(scenarios: [
            result("bench-a.anon", "figure: arm 12 ns/MiB", "figure: scan 7 ns/MiB"),
            result("bench-a.shmem", "figure: arm 20 ns/MiB"),
        ])
        let second = SuiteResult(scenarios: [result("bench-a.anon", "figure: arm 10 ns/MiB", "figure: scan 9 ns/MiB")])
        let sheet = FigureSheet([first, second])
        #expect(sheet.rows.map(\.figure) == ["arm", "scan"])
        #expect(sheet.rows[0].values == ["anon": 10, "shmem": 20])
        #expect(sheet.rows[1].values == ["anon": 7])
        #expect(sheet.kinds == ["anon", "shmem"])
    }

    @Test func rowsOfOtherUnitsAreNotComparedWith() throws {
        let sheet = FigureSheet([SuiteResult(scenarios: [result("bench-a.anon", "figure: arm 12 ns/MiB")])])
        let other = FigureSheet([SuiteResult(scenarios: [result("bench-a.anon", "figure: arm 12 us/MiB")])])
        #expect(sheet.row(like: try #require(sheet.rows.first)) != nil)
        #expect(sheet.row(like: try #require(other.rows.first)) == nil)
    }
}
