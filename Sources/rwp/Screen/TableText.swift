// SPDX-License-Identifier: GPL-2.0-only

import Foundation
import TextTable

/// A table as people get it: without the blanks that fill its last column, and on a terminal no wider than that.
struct TableText {
    /// The columns of the terminal; nil where all of a line is printed, however long.
    var columns: Int?

    /// For standard output.
    static let standardOutput = TableText(
        columns: isatty(STDOUT_FILENO) == 1 ? TerminalSize.of(STDOUT_FILENO).columns : nil
    )

    /// The table, a line a row, under its titles.
    func text<Row>(_ table: TextTable<Row>, of rows: [Row]) -> String {
        fitted(table.string(for: rows, style: Style.simple) ?? "")
    }

    /// The lines of a table as they fit.
    func fitted(_ table: String) -> String {
        table.split(separator: "\n").map { line in
            let blanks = line.reversed().prefix { $0 == " " }.count
            return line.dropLast(blanks).prefix(columns ?? .max) + "\n"
        }.joined()
    }
}
