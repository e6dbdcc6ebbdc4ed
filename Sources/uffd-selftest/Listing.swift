// SPDX-License-Identifier: GPL-2.0-only

import Scenarios
import Userfaultfd

/// `--list`: one line a scenario, five fields with a tab between them: its name, its memory kinds (comma-separated), the
/// contract's rules that it covers (blank-separated), what it needs (comma-separated, in words) and its summary. An empty
/// field is empty. Programs may rely on this form.
enum Listing {
    /// Writes the list of every scenario of which an instance is selected.
    static func write(_ selection: Selection) {
        var text = ""
        var last = ""
        for instance in selection.instances {
            let scenario = instance.scenario
            if scenario.name.text.isSame(as: last) { continue }
            last = scenario.name.text
            let fields = [
                last,
                joined(scenario.kinds.map { $0.name }, ","),
                scenario.rules.text,
                joined(scenario.needs.map { $0.words }, ", "),
                scenario.summary.text,
            ]
            text += joined(fields, "\t") + "\n"
        }
        Output.standard.write(text)
    }

    private static func joined(_ words: [String], _ separator: String) -> String {
        var text = ""
        for (index, word) in words.enumerated() {
            text += (index == 0 ? "" : separator) + word
        }
        return text
    }
}
