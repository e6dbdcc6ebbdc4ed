// SPDX-License-Identifier: GPL-2.0-only

import SystemPackage

/// What came of a `SeriesCheck`: a table with a row a patch and a column a build or check.
public struct SeriesReport: Sendable {
    /// A row's head.
    public struct Patch: Sendable, Hashable {
        /// "0004", or "base".
        public var number: String
        /// The patch's subject.
        public var subject: String
    }

    /// A build or check, after each patch.
    public struct Column: Sendable {
        /// The variant's name, or the check's.
        public var name: String
        /// What came of it, a cell a row.
        public var cells: [Cell]
    }

    /// What came of one build or check.
    public struct Cell: Sendable {
        /// The first lines that say why it failed; nil where it did not.
        public var errors: [String]?
        /// Every warning, those of the base too.
        var warnings: [CompilerWarning] = []
        /// What is held against the patch, a line each.
        public var complaints: [String] = []
        var newWarnings: [CompilerWarning] = []
        /// Everything that was printed; nil where nothing is kept.
        public var log: FilePath?

        /// Whether nothing is held against the patch.
        public var isGood: Bool { errors == nil && complaints.isEmpty }

        /// "ok", "2 new", "FAILED".
        public var verdict: String {
            if errors != nil { return "FAILED" }
            return complaints.isEmpty ? "ok" : "\(complaints.count) new"
        }

        /// The part of one tool.
        func only(_ tool: CompilerWarning.Tool) -> Cell {
            var cell = self
            cell.warnings = warnings.filter { $0.tool == tool }
            cell.newWarnings = newWarnings.filter { $0.tool == tool }
            cell.complaints = cell.newWarnings.map(\.description)
            return cell
        }
    }

    /// The rows: the source without patches, then the patches.
    public var patches: [Patch]
    /// The columns.
    public var columns: [Column]

    /// Whether nothing is held against any patch.
    public var isGood: Bool { columns.allSatisfy { $0.cells.allSatisfy(\.isGood) } }
}
