// SPDX-License-Identifier: GPL-2.0-only

/// Finds what a misspelt name was meant to be.
public enum NearestName {
    /// The name with the fewest edits to `name`; nil where even that one is too different to be meant.
    public static func of(_ name: String, among names: some Sequence<String>) -> String? {
        let lowered = name.lowercased()
        let nearest =
            names
            .map { (name: $0, distance: distance(lowered, $0.lowercased())) }
            .min { ($0.distance, $0.name) < ($1.distance, $1.name) }
        guard let nearest, nearest.distance <= max(2, name.count / 2) else { return nil }
        return nearest.name
    }

    /// How many characters must be put in, left out, replaced or swapped with their neighbour (optimal string
    /// alignment distance).
    public static func distance(_ one: String, _ other: String) -> Int {
        let (one, other) = (Array(one), Array(other))
        var rows = [Array(0...other.count)]
        for i in one.indices {
            var row = [i + 1]
            for j in other.indices {
                let replaced = rows[i][j] + (one[i] == other[j] ? 0 : 1)
                var best = min(rows[i][j + 1] + 1, row[j] + 1, replaced)
                if i > 0, j > 0, one[i] == other[j - 1], one[i - 1] == other[j] {
                    best = min(best, rows[i - 1][j - 1] + 1)
                }
                row.append(best)
            }
            rows.append(row)
        }
        return rows[one.count][other.count]
    }
}
