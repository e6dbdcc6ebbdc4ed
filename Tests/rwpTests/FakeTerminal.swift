// SPDX-License-Identifier: GPL-2.0-only

import Synchronization

@testable import rwp

/// A terminal of a fixed size that understands what `LiveScreen` writes: it wraps, scrolls, moves up and erases.
final class FakeTerminal: Sendable {
    fileprivate struct State {
        var columns: Int
        var rows: Int
        /// Everything ever shown, oldest first; the last `rows` of it are on the screen.
        var lines: [[Character]] = [[]]
        var row = 0
        var column = 0
        var cursorHidden = false
        /// Whether all of the screen was ever cleared at once, which some terminals make history of.
        var clearedFromTop = false
    }

    private let state: Mutex<State>

    init(columns: Int, rows: Int) {
        state = Mutex(State(columns: columns, rows: rows))
    }

    var output: Output {
        Output { [self] text in state.withLock { $0.write(text) } }
    }

    var size: TerminalSize {
        state.withLock { TerminalSize(columns: $0.columns, rows: $0.rows) }
    }

    var wasClearedFromTop: Bool { state.withLock { $0.clearedFromTop } }
    var isCursorHidden: Bool { state.withLock { $0.cursorHidden } }

    /// All lines, those that scrolled away too, without blanks at their ends.
    var history: [String] {
        state.withLock { state in
            state.lines.map { line in
                String(String(line).reversed().drop { $0 == " " }.reversed())
            }
        }
    }

    /// What is on the screen.
    var screen: [String] { Array(history.suffix(size.rows)) }

    /// Makes it narrower or wider; lines that no longer fit wrap, as terminals do.
    func resize(columns: Int, rows: Int) {
        state.withLock { state in
            var lines: [[Character]] = []
            var row = 0
            for (index, line) in state.lines.enumerated() {
                if index == state.row { row = lines.count }
                var rest = line[...]
                repeat {
                    lines.append(Array(rest.prefix(columns)))
                    rest = rest.dropFirst(columns)
                } while !rest.isEmpty
            }
            (state.lines, state.row, state.columns, state.rows) = (lines, row, columns, rows)
        }
    }
}

extension FakeTerminal.State {
    fileprivate mutating func write(_ text: String) {
        var rest = Substring(text)
        while let character = rest.popFirst() {
            switch character {
            case "\u{1B}": escape(&rest)
            case "\n": lineFeed()
            case "\r": column = 0
            case "\r\n":
                column = 0
                lineFeed()
            default: put(character)
            }
        }
    }

    private mutating func escape(_ rest: inout Substring) {
        precondition(rest.popFirst() == "[", "only CSI sequences are expected")
        let parameters = rest.prefix { !$0.isLetter }
        rest = rest.dropFirst(parameters.count)
        switch rest.popFirst() {
        case "A": row = max(row - (Int(parameters) ?? 1), max(0, lines.count - rows))
        case "K":
            lines[row] = Array(lines[row].prefix(column))
        case "J":
            clearedFromTop = clearedFromTop || row == max(0, lines.count - rows)
            lines.removeSubrange((row + 1)...)
            lines[row] = Array(lines[row].prefix(column))
        case "m": break
        case "h" where parameters == "?25": cursorHidden = false
        case "l" where parameters == "?25": cursorHidden = true
        case let other: preconditionFailure("unexpected sequence \(parameters)\(other ?? " ")")
        }
    }

    private mutating func put(_ character: Character) {
        if column == columns {
            column = 0
            lineFeed()
        }
        while lines[row].count <= column { lines[row].append(" ") }
        lines[row][column] = character
        column += 1
    }

    private mutating func lineFeed() {
        row += 1
        column = 0
        if row == lines.count { lines.append([]) }
    }
}
