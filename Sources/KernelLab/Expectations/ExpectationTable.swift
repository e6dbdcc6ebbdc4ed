// SPDX-License-Identifier: GPL-2.0-only

extension Expectations {
    /// The entries as a table in Markdown, for docs/: what a kernel does, by rule.
    ///
    /// - Parameter name: "v7.3", for the heading.
    public func markdown(name: String) -> String {
        var text = """
            <!-- SPDX-License-Identifier: GPL-2.0-only -->
            <!-- Generated: rwp list --expected \(name) --markdown > docs/expected-\(name).md -->

            # What fails on plain \(name), and why

            Seen on \(seen) without any series; `rwp test --base \(name) --series none` fails where this is wrong, in either
            direction. The file behind it is `kernel-patches/expected/\(name).toml`.

            | rule | what the kernel does | since | scenarios that fail |
            | --- | --- | --- | --- |

            """
        for entry in entries {
            let fails = codes(entry.results)
            let except = entry.except.map { ", but not \(codes($0))" } ?? ""
            let sometimes = entry.sometimes.map { ", by chance \(codes($0))" } ?? ""
            let what = entry.what + (entry.flavor.map { " (flavour \($0))" } ?? "")
            let cells = ["**\(entry.rule)**", what, entry.since, fails + except + sometimes]
            text += "| " + cells.map { $0.replacing("|", with: "\\|") }.joined(separator: " | ") + " |\n"
        }
        return text
    }

    private func codes(_ patterns: [String]) -> String {
        patterns.map { "`\($0)`" }.joined(separator: " ")
    }
}
