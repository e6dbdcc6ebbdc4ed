// SPDX-License-Identifier: GPL-2.0-only

/// How a failure is told, the same on every screen.
enum FailureText {
    /// How many lines of a failure's diagnostics are shown; the rest is in the results folder.
    static let limit = 8

    static func lines(_ failure: RunProgress.Failure, ink: Ink) -> [String] {
        var lines = [ink.red("FAIL ") + ink.bold(failure.name)]
        lines += failure.reasons.prefix(limit).map { "     " + $0 }
        if failure.reasons.count > limit {
            lines.append("     " + ink.dim("(\(failure.reasons.count - limit) more lines in the results)"))
        }
        return lines
    }
}
