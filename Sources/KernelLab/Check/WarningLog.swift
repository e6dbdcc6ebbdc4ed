// SPDX-License-Identifier: GPL-2.0-only

import Foundation
import Synchronization
import SystemPackage

/// The warnings of everything that an object folder holds, by the target whose making printed them.
///
/// An incremental build prints only what it makes anew; the rest was said before and is kept here. The output must come
/// target by target (`make --output-sync=target`), so that a warning follows the line of what was being made.
final class WarningLog: Sendable {
    private struct State {
        var warnings: [String: [CompilerWarning]]
        var target = ""
        var errors: [String] = []
    }

    private let state: Mutex<State>
    private let file: FilePath
    private let checked: Bool

    /// Continues what the folder's builds printed before.
    ///
    /// - Parameter checked: Whether sources are given to sparse.
    init(of objects: FilePath, checked: Bool) {
        file = objects.appending("warnings.json")
        self.checked = checked
        let data = FileManager.default.contents(atPath: file.string)
        let kept = data.flatMap { try? JSONDecoder().decode([String: [CompilerWarning]].self, from: $0) }
        state = Mutex(State(warnings: kept ?? [:]))
    }

    /// Reads a line of the build's output.
    func take(_ line: String) {
        let warning = CompilerWarning(parsing: line, checked: checked)
        state.withLock { state in
            if let match = line.firstMatch(of: /^  [A-Z][A-Z0-9_]* +(?:\[M\] +)?(\S+)$/) {
                let target = String(match.1)
                // sparse and the compiler announce one target each.
                if target != state.target { state.warnings[target] = nil }
                state.target = target
            } else if let warning {
                state.warnings[state.target, default: []].append(warning)
            } else if BuildOutput.isError(line), state.errors.count < 10 {
                state.errors.append(line)
            }
        }
    }

    /// All warnings of what the folder holds now.
    var warnings: [CompilerWarning] { state.withLock { $0.warnings.values.flatMap(\.self) } }

    /// The first lines that say why make failed.
    var errors: [String] { state.withLock(\.errors) }

    /// Keeps the warnings for the next build.
    func save() throws {
        let warnings = state.withLock(\.warnings)
        try JSONEncoder().encode(warnings).write(to: URL(fileURLWithPath: file.string), options: .atomic)
    }
}
