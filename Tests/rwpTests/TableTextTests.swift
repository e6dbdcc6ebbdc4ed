// SPDX-License-Identifier: GPL-2.0-only

import Testing

@testable import rwp

@Suite struct TableTextTests {
    private let table = """
        WHAT   NEEDED TO
        ------ ------------
        git    keep trees
        xz     decompress

        """

    @Test func linesEndWithTheirText() {
        let text = TableText(columns: nil).fitted("a  b   \ncc dddd\n   \n")
        #expect(text == "a  b\ncc dddd\n\n")
    }

    @Test(arguments: [8, 12, 17])
    func terminalShowsWhatFits(columns: Int) {
        let lines = TableText(columns: columns).fitted(table).split(separator: "\n")
        #expect(lines.count == 4)
        #expect(lines.allSatisfy { $0.count <= columns })
        #expect(lines[2] == "git    keep trees".prefix(columns))
    }
}
