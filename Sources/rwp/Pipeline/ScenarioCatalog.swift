// SPDX-License-Identifier: GPL-2.0-only

import KernelLab
import SystemPackage

/// The scenarios that a guest program has, as it lists them itself: it is an ordinary command on this machine too.
struct ScenarioCatalog: Sendable, Equatable {
    /// One line of `uffd-selftest --list`.
    struct Entry: Sendable, Equatable, Codable {
        var name: String
        var kinds: [String]
        var rules: [String]
        var needs: [String]
        var summary: String
    }

    var entries: [Entry]

    /// How many results they have: one for each memory kind.
    var resultCount: Int { entries.reduce(0) { $0 + max($1.kinds.count, 1) } }

    /// The name of each of them.
    var resultNames: [String] {
        entries.flatMap { entry in entry.kinds.isEmpty ? [entry.name] : entry.kinds.map { "\(entry.name).\($0)" } }
    }

    /// Asks the program for the scenarios that the patterns select.
    ///
    /// - Parameter hidden: Also those that test the harness itself.
    /// - Throws: `CommandLineError.unknownScenario` where a pattern matches nothing, with the nearest name.
    static func of(
        _ program: FilePath,
        patterns: [String] = [],
        skips: [String] = [],
        hidden: Bool = false
    ) async throws -> ScenarioCatalog {
        let arguments = ["--list"] + (hidden ? ["--all"] : []) + skips.map { "--skip=\($0)" } + patterns
        do {
            return ScenarioCatalog(list: try await Tool(path: program).capture(arguments))
        } catch ToolError.failed(_, .exited(2), let lastLines, _) {
            let prefix = "uffd-selftest: "
            let message = lastLines.last { $0.hasPrefix(prefix) } ?? lastLines.last ?? ""
            throw CommandLineError.unknownScenario(
                String(message.trimmingPrefix(prefix)).replacing("--list", with: "rwp list")
            )
        }
    }

    /// Parses the list: name, kinds, rules, needs and summary, with a tab between them.
    init(list: String) {
        entries = list.split(separator: "\n").map { line in
            let fields = line.split(separator: "\t", omittingEmptySubsequences: false).map(String.init)
            func words(_ index: Int, apartBy separator: String) -> [String] {
                guard index < fields.count else { return [] }
                return fields[index].split(separator: separator).map(String.init)
            }
            return Entry(
                name: fields[0],
                kinds: words(1, apartBy: ","),
                rules: words(2, apartBy: " "),
                needs: words(3, apartBy: ", "),
                summary: fields.count > 4 ? fields[4] : ""
            )
        }
    }
}
