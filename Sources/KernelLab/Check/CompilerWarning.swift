// SPDX-License-Identifier: GPL-2.0-only

/// A warning that a build printed.
public struct CompilerWarning: Sendable, Hashable, Codable, CustomStringConvertible {
    /// Who gave it.
    public enum Tool: String, Sendable, Hashable, Codable {
        /// gcc, with the option that asked for it.
        case compiler
        /// sparse(1).
        case sparse
        /// objtool, modpost and the linker.
        case build
    }

    /// Who gave it.
    public var tool: Tool
    /// The file that it is about, relative to the tree.
    public var file: String
    /// Its line, from 1; 0 where the warning is about a whole file.
    public var line: Int
    /// What it says.
    public var text: String

    /// "mm/memory.c:12: text".
    public var description: String { line > 0 ? "\(file):\(line): \(text)" : "\(file): \(text)" }

    /// Reads a line of a build's output; nil where it is no warning.
    ///
    /// - Parameter checked: Whether the source was given to sparse too, whose warnings carry no "[-Woption]".
    init?(parsing line: String, checked: Bool) {
        if let match = line.wholeMatch(of: /(.+?):(\d+):(?:\d+:)? warning: (.*)/) {
            file = Self.relative(match.1)
            self.line = Int(match.2) ?? 0
            text = String(match.3)
            tool = checked && !text.hasSuffix("]") ? .sparse : .compiler
        } else if let match = line.wholeMatch(of: /(.+?): warning: (.*)/) {
            file = Self.relative(match.1)
            self.line = 0
            text = Self.withoutOffsets(match.2)
            tool = .build
        } else if let match = line.wholeMatch(of: /WARNING: (modpost): (.*)/) {
            file = String(match.1)
            self.line = 0
            text = Self.withoutOffsets(match.2)
            tool = .build
        } else {
            return nil
        }
    }

    /// kbuild in a folder of the tree calls the tree "..".
    private static func relative(_ path: Substring) -> String {
        String(path.replacing(/^(\.\.\/)+/, with: ""))
    }

    /// An offset into a function moves with every line above it.
    private static func withoutOffsets(_ text: Substring) -> String {
        String(text.replacing(/\+0x[0-9a-f]+/, with: ""))
    }

    /// What makes two warnings the same although lines have moved.
    fileprivate struct Kind: Hashable {
        var file: String
        var text: String
    }

    fileprivate var kind: Kind { Kind(file: file, text: text) }
}

extension [CompilerWarning] {
    /// Those that `base` does not have: more of one text in one file than there. Their lines may have moved.
    func new(since base: [CompilerWarning]) -> [CompilerWarning] {
        // A header is read by many files: one warning of it at one line counts once.
        var left = Dictionary(grouping: Set(base), by: \.kind).mapValues(\.count)
        let sorted = Set(self).sorted { ($0.file, $0.line, $0.text) < ($1.file, $1.line, $1.text) }
        return sorted.filter { warning in
            left[warning.kind, default: 0] -= 1
            return left[warning.kind, default: 0] < 0
        }
    }
}
