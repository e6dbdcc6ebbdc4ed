// SPDX-License-Identifier: GPL-2.0-only

/// Finds the line on which a key of a TOML document stands.
///
/// TOMLKit gives lines for syntax errors only, and "line 12" is what makes any other message useful too. This looks at
/// headers and at what stands before an equals sign; values, which may span lines, it does not parse.
struct TOMLKeyLocator {
    private var lines: [String: Int] = [:]

    init(_ document: String) {
        var table = ""
        var elements: [String: Int] = [:]
        for (index, line) in document.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
            let text = line.drop { $0 == " " || $0 == "\t" }
            if text.hasPrefix("[["), let end = text.firstRange(of: "]]") {
                let name = Self.normalised(text[text.index(text.startIndex, offsetBy: 2)..<end.lowerBound])
                let element = elements[name, default: 0]
                elements[name] = element + 1
                table = "\(name)[\(element)]"
                lines[name] = lines[name] ?? index + 1
            } else if text.hasPrefix("["), let end = text.firstIndex(of: "]") {
                table = Self.normalised(text[text.index(after: text.startIndex)..<end])
            } else if let equals = text.firstIndex(of: "="), Self.isKey(text[..<equals]) {
                let key = Self.normalised(text[..<equals])
                let path = table.isEmpty ? key : "\(table).\(key)"
                lines[path] = lines[path] ?? index + 1
                continue
            } else {
                continue
            }
            lines[table] = lines[table] ?? index + 1
        }
    }

    /// The line of `path` ("numa-node[1].cpus"), or of the nearest table around it; 1 where there is none.
    func line(of path: String) -> Int {
        var path = path[...]
        while !path.isEmpty {
            if let line = lines[String(path)] { return line }
            path = path[..<(path.lastIndex { $0 == "." || $0 == "[" } ?? path.startIndex)]
        }
        return 1
    }

    /// Tells a key from a comment and from a string in an array over several lines (`"panic=-1",`).
    private static func isKey(_ text: Substring) -> Bool {
        text.first != "#" && text.count { $0 == "\"" }.isMultiple(of: 2)
    }

    private static func normalised(_ key: Substring) -> String {
        String(key.filter { !" \t\"'".contains($0) })
    }
}
