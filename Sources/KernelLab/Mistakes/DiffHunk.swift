// SPDX-License-Identifier: GPL-2.0-only

/// One hunk of a diff, as a diff of its own.
struct DiffHunk: Sendable, Hashable {
    /// The file, relative to the tree.
    var file: String
    /// "mm/memory.c:894", the line where the hunk begins in the new file.
    var name: String
    /// What stands behind the line numbers: the function, as git finds it.
    var function: String
    /// The diff.
    var text: String

    /// Takes apart what `git diff` prints, leaving out new and deleted files: they are no change of a place.
    static func all(of diff: String) -> [DiffHunk] {
        var hunks: [DiffHunk] = []
        // A line of a hunk's content begins with a blank, "+", "-" or a backslash, so these two can be nothing else.
        for lines in diff.split(separator: "\n", omittingEmptySubsequences: false).dropLast().split(
            before: "diff --git "
        ) {
            let parts = lines.split(before: "@@ ")
            guard let header = parts.first, !header.contains(where: { $0.contains(" file mode ") }),
                let file = header.first(where: { $0.hasPrefix("+++ b/") })?.dropFirst("+++ b/".count)
            else { continue }
            for part in parts.dropFirst() {
                guard let match = part.first?.firstMatch(of: /^@@ -[\d,]+ \+(\d+)[\d,]* @@ ?(.*)$/) else { continue }
                hunks.append(
                    DiffHunk(
                        file: String(file),
                        name: "\(file):\(match.1)",
                        function: String(match.2),
                        text: (header + part).map { $0 + "\n" }.joined()
                    )
                )
            }
        }
        return hunks
    }
}

extension Collection<Substring> {
    /// The lines in parts, each of which but the first begins with a line that has the prefix.
    fileprivate func split(before prefix: String) -> [[Substring]] {
        reduce(into: [[]]) { parts, line in
            if line.hasPrefix(prefix) { parts.append([]) }
            parts[parts.count - 1].append(line)
        }
    }
}
