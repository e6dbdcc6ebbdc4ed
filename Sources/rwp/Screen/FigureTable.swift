// SPDX-License-Identifier: GPL-2.0-only

import Foundation
import KernelLab
import TextTable

/// Figures of benchmarks as a table: a line a figure, a column a memory kind.
struct FigureTable {
    var figures: FigureSheet
    /// The figures of the kernel to compare with; nil where there is none.
    var reference: FigureSheet?

    /// The table; with a reference each figure has the change from there behind it.
    func text(_ format: TableText) -> String {
        guard !figures.rows.isEmpty else { return "no figures: every benchmark was skipped or failed\n" }
        let kinds = figures.kinds
        let table = TextTable<FigureSheet.Row> { row in
            [
                Column(title: "BENCHMARK", value: row.benchmark),
                Column(title: "FIGURE", value: row.figure),
                Column(title: "UNIT", value: row.unit),
            ]
                + kinds.map { kind in
                    Column(title: kind.uppercased(), value: cell(row, kind), align: .right)
                }
        }
        return format.text(table, of: figures.rows)
    }

    private func cell(_ row: FigureSheet.Row, _ kind: String) -> String {
        guard let value = row.values[kind] else { return "-" }
        let text = value.formatted(.number.grouping(.automatic).locale(.init(identifier: "en_US")))
        guard let reference else { return text }
        guard let before = reference.row(like: row)?.values[kind], before > 0 else { return "\(text)     new" }
        let change = Int((Double(value - before) / Double(before) * 100).rounded())
        let percent = "\(change > 0 ? "+" : "")\(change) %"
        return text + String(repeating: " ", count: max(1, 8 - percent.count)) + percent
    }
}
