// SPDX-License-Identifier: GPL-2.0-only

/// The one of `names` that takes the fewest edits (a byte put in, left out, changed, or swapped with its neighbour) to
/// become `word`; nil where there are no names.
public func nearestName(to word: String, among names: [String]) -> String? {
    var best: (name: String, distance: Int)?
    for name in names {
        let distance = editDistance(Array(word.utf8), Array(name.utf8))
        if best == nil || distance < best?.distance ?? 0 { best = (name, distance) }
    }
    return best?.name
}

/// The distance of Damerau and Levenshtein in its restricted form ("optimal string alignment").
private func editDistance(_ from: [UInt8], _ to: [UInt8]) -> Int {
    var beforeLast: [Int] = []
    var last = Array(0...to.count)
    for (row, byte) in from.enumerated() {
        var current = [row + 1]
        for (column, other) in to.enumerated() {
            var cost = min(last[column] + (byte == other ? 0 : 1), last[column + 1] + 1, current[column] + 1)
            if row > 0 && column > 0 && byte == to[column - 1] && from[row - 1] == other {
                cost = min(cost, beforeLast[column - 1] + 1)
            }
            current.append(cost)
        }
        beforeLast = last
        last = current
    }
    return last[to.count]
}
