// SPDX-License-Identifier: GPL-2.0-only

import KernelLab
import TextTable

/// The table of a checked series, and below it what is held against its patches.
struct SeriesTable {
    private let report: SeriesReport

    init(_ report: SeriesReport) {
        self.report = report
    }

    func text(_ ink: Ink) -> String {
        let table = TextTable<Int> { row in
            [Column(title: "PATCH", value: report.patches[row].number)]
                + report.columns.map { Column(title: $0.name, value: $0.cells[row].verdict) }
                + [Column(title: "SUBJECT", value: report.patches[row].subject)]
        }
        let text = table.string(for: Array(report.patches.indices), style: Style.simple) ?? ""
        return text.replacing("FAILED", with: ink.red("FAILED")) + "\n" + details.joined(separator: "\n") + summary(ink)
    }

    /// Each cell that is not good, with its lines.
    private var details: [String] {
        report.columns.flatMap { column in
            zip(report.patches, column.cells).filter { !$0.1.isGood }.map { patch, cell in
                "\(patch.number) \(column.name): \(cell.verdict)\n"
                    + ((cell.errors ?? []) + cell.complaints).map { "    \($0)\n" }.joined()
                    + (cell.log.map { "    log: \($0)\n" } ?? "")
            }
        }
    }

    private func summary(_ ink: Ink) -> String {
        let cells = report.columns.flatMap(\.cells)
        let bad = cells.count { !$0.isGood }
        let count = "\(report.patches.count - 1) patches, \(cells.count) checks, "
        return count + (bad == 0 ? ink.green("all good") : ink.red("\(bad) not good")) + "\n"
    }
}
