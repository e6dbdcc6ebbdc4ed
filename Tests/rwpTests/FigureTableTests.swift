// SPDX-License-Identifier: GPL-2.0-only

import KernelLab
import Testing

@testable import rwp

@Suite struct FigureTableTests {
    private func sheet(_ name: String, _ figure: String) -> FigureSheet {
        let result = ScenarioResult(number: 1, name: name, verdict: .passed, diagnostics: [figure])
        return FigureSheet([SuiteResult(scenarios: [result])])
    }

    private let format = TableText(columns: nil)

    @Test func aLineAFigureAndAColumnAKind() {
        let text = FigureTable(figures: sheet("bench-a.anon", "figure: arm 1234 ns/MiB"), reference: nil).text(format)
        let lines = text.split(separator: "\n")
        #expect(lines[0].split(separator: " ") == ["BENCHMARK", "FIGURE", "UNIT", "ANON"])
        #expect(lines[2].split(separator: " ") == ["bench-a", "arm", "ns/MiB", "1,234"])
    }

    @Test func aReferenceGivesChanges() {
        let tested = sheet("bench-a.anon", "figure: arm 150 ns/MiB")
        let slower = FigureTable(figures: tested, reference: sheet("bench-a.anon", "figure: arm 100 ns/MiB"))
        #expect(slower.text(format).contains("+50 %"))
        let unknown = FigureTable(figures: tested, reference: sheet("bench-b.anon", "figure: arm 100 ns/MiB"))
        #expect(unknown.text(format).contains("new"))
    }

    @Test func withoutFiguresItSaysSo() {
        #expect(FigureTable(figures: FigureSheet([]), reference: nil).text(format).hasPrefix("no figures"))
    }
}
