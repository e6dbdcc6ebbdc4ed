// SPDX-License-Identifier: GPL-2.0-only

import KernelLab
import TextTable

/// What two kernels differ in, as a table.
enum ComparisonText {
    static func of(_ comparison: KselftestComparison, ink: Ink) -> String {
        let same = comparison.same == 1 ? "1 result is the same" : "\(comparison.same) results are the same"
        guard !comparison.differences.isEmpty else {
            return ink.green("\(same) on both kernels, and none differs") + "\n"
        }
        let table = TextTable<KselftestComparison.Difference> { difference in
            [
                Column(title: "TEST", value: difference.name.printable),
                Column(title: "REFERENCE", value: word(difference.reference)),
                Column(title: "TESTED", value: word(difference.tested)),
                Column(title: "", value: difference.isWorse ? "WORSE" : "better"),
                Column(title: "REASON", value: difference.reason?.printable ?? ""),
            ]
        }
        let text = table.string(for: comparison.differences, style: Style.simple) ?? ""
        let worse = comparison.differences.count(where: \.isWorse)
        let counts = "\(same) on both kernels, \(comparison.differences.count) not: "
        return text + "\n" + counts + (worse > 0 ? ink.red("\(worse) for the worse") : "none for the worse") + "\n"
    }

    private static func word(_ verdict: Verdict?) -> String { verdict?.rawValue ?? "not there" }
}
