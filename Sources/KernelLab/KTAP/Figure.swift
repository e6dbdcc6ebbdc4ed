// SPDX-License-Identifier: GPL-2.0-only

/// What a benchmark of the guest's measured: its `# figure: NAME VALUE UNIT`.
public struct Figure: Sendable, Hashable {
    /// What was measured: "arm".
    public var name: String
    /// How much, in `unit`.
    public var value: Int
    /// "ns/MiB".
    public var unit: String

    /// Makes a value.
    public init(name: String, value: Int, unit: String) {
        self.name = name
        self.value = value
        self.unit = unit
    }

    /// Reads a diagnostic; nil where it is none of a figure.
    init?(diagnostic: String) {
        let words = diagnostic.split(separator: " ")
        guard words.count == 4, words[0] == "figure:", let value = Int(words[2]) else { return nil }
        self.init(name: String(words[1]), value: value, unit: String(words[3]))
    }
}

extension ScenarioResult {
    /// The figures that it printed, in order.
    public var figures: [Figure] { diagnostics.compactMap(Figure.init(diagnostic:)) }
}

/// The figures of one kernel: for each benchmark and memory kind the best of all boots.
public struct FigureSheet: Sendable, Hashable {
    /// What one line of a table is about.
    public struct Row: Sendable, Hashable {
        /// The benchmark: "bench-rwp-range".
        public var benchmark: String
        /// What it measured.
        public var figure: String
        /// The unit of all its values.
        public var unit: String
        /// The value of each memory kind that it ran on; smaller is better.
        public var values: [String: Int]
    }

    /// In the order of the suite.
    public private(set) var rows: [Row] = []

    /// Takes the figures of one or more boots.
    public init(_ suites: [SuiteResult]) {
        for result in suites.flatMap(\.scenarios) {
            for figure in result.figures { take(figure, of: result) }
        }
    }

    private mutating func take(_ figure: Figure, of result: ScenarioResult) {
        let kind = result.memoryKind ?? ""
        let isRow = { (row: Row) in
            row.benchmark == result.point && row.figure == figure.name && row.unit == figure.unit
        }
        guard let index = rows.firstIndex(where: isRow) else {
            rows.append(
                Row(benchmark: result.point, figure: figure.name, unit: figure.unit, values: [kind: figure.value])
            )
            return
        }
        rows[index].values[kind] = min(rows[index].values[kind] ?? .max, figure.value)
    }

    /// The memory kinds that any row has, in the order of the suite.
    public var kinds: [String] {
        let present = Set(rows.flatMap(\.values.keys))
        return ([""] + ScenarioResult.memoryKinds).filter(present.contains)
    }

    /// The row of another kernel's that is about the same.
    public func row(like other: Row) -> Row? {
        rows.first { $0.benchmark == other.benchmark && $0.figure == other.figure && $0.unit == other.unit }
    }
}
