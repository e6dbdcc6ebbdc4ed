// SPDX-License-Identifier: GPL-2.0-only

import Foundation

/// The command line that runs just the failures again: the one that was given, with other patterns.
struct RerunCommand: Sendable, Equatable {
    /// More patterns than these do not fit on a kernel's command line.
    static let limit = 20

    private let words: [String]
    private let isKselftest: Bool
    /// What stands behind `--` for a selftest, with it.
    private let tail: [String]

    /// - Parameters:
    ///   - arguments: The program and its arguments.
    ///   - patterns: Those of the arguments that are patterns.
    init(arguments: [String], patterns: [String], workingDirectory: String = FileManager.default.currentDirectoryPath) {
        var patterns = patterns
        var words: [String] = []
        isKselftest = arguments.dropFirst().first == "kselftest"
        let end = isKselftest ? arguments.firstIndex(of: "--") ?? arguments.endIndex : arguments.endIndex
        tail = Array(arguments[end...])
        for argument in arguments[..<end].dropFirst() where argument != "--" {
            if let index = patterns.firstIndex(of: argument) {
                patterns.remove(at: index)
            } else {
                words.append(argument)
            }
        }
        if words.first != "test", !isKselftest { words.insert("test", at: 0) }
        let program = arguments.first ?? "rwp"
        let inside = workingDirectory + "/"
        self.words = [program.hasPrefix(inside) ? String(program.dropFirst(inside.count)) : program] + words
    }

    /// The command for these results; whole scenarios where there are many, and nothing where there are too many.
    func line(for names: [String]) -> String? {
        // A selftest runs as a whole, and with it the checks of the kernel's log, which have no name there.
        var names = (isKselftest ? names.filter { $0.contains(":") }.map { ScenarioName($0).scenario } : names)
            .uniqued()
        if names.count > Self.limit { names = names.map { ScenarioName($0).scenario }.uniqued() }
        guard !names.isEmpty, names.count <= Self.limit else { return nil }
        return (words + names + tail).map(Self.quoted).joined(separator: " ")
    }

    /// The word as a shell takes it.
    private static func quoted(_ word: String) -> String {
        let plain = word.allSatisfy { $0.isLetter || $0.isNumber || "-_./=:,+@%^~".contains($0) }
        return plain && !word.isEmpty ? word : "'" + word.replacing("'", with: #"'\''"#) + "'"
    }
}

extension [String] {
    /// Each once, in the order of its first place.
    func uniqued() -> [String] {
        var seen: Set<String> = []
        return filter { seen.insert($0).inserted }
    }
}
