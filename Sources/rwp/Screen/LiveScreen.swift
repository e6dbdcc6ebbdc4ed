// SPDX-License-Identifier: GPL-2.0-only

import KernelLab

/// Draws a run on a terminal: permanent lines (notes, failures, the console) scroll up, and under them a live picture
/// is drawn anew some times a second.
struct LiveScreen: EventReader {
    private let output: Output
    private let size: @Sendable () -> TerminalSize
    private let showsConsole: Bool
    private var view: LiveView
    private var run = RunProgress()
    private var failuresShown = 0
    /// The lengths of the lines that stand on the terminal, and so may be drawn over.
    private var drawn: [Int] = []

    init(
        output: Output,
        ink: Ink,
        title: String,
        showsConsole: Bool,
        started: Instant,
        size: @escaping @Sendable () -> TerminalSize
    ) {
        self.output = output
        self.size = size
        self.showsConsole = showsConsole
        view = LiveView(ink: ink, title: title, started: started)
    }

    mutating func begin() {
        output.write(ANSI.hideCursor)
    }

    mutating func receive(_ event: LabEvent, at now: Instant) {
        run.receive(event, at: now)
        switch event {
        case .note(let text):
            printAbove([view.ink.yellow("note: ") + text.printable], at: now)
        case .console(let line) where showsConsole:
            printAbove([view.ink.dim("console: " + line.printable)], at: now)
        case .ktap(.bailOut(let reason)):
            printAbove([view.ink.red("the guest gave up: ") + reason.printable], at: now)
        default:
            break
        }
        let new = run.failures[failuresShown...]
        failuresShown = run.failures.count
        for failure in new {
            printAbove(FailureText.lines(failure, ink: view.ink), at: now)
        }
    }

    mutating func tick(at now: Instant) {
        draw(above: [], at: now)
    }

    mutating func end(at now: Instant) {
        draw(above: [], at: now)
        drawn = []
        output.write(ANSI.showCursor)
    }

    private mutating func printAbove(_ lines: [String], at now: Instant) {
        draw(above: lines, at: now)
    }

    /// Draws the picture over the last one, in one write so that it does not flicker.
    private mutating func draw(above permanent: [String], at now: Instant) {
        let size = size()
        let picture = view.lines(run, size: size, now: now)
        var text = toTop(columns: size.columns, rows: size.rows)
        for line in permanent + picture { text += overwriting(line, columns: size.columns) }
        // Rests of a longer picture. Not from the top on: some terminals keep what is cleared as history.
        text += ANSI.eraseBelow
        output.write(text)
        drawn = picture.map { Ink.visibleLength($0) }
    }

    /// What moves to the last picture's top. A terminal that became narrower has wrapped its lines: count them so.
    private func toTop(columns: Int, rows: Int) -> String {
        let lines = drawn.reduce(0) { $0 + max(1, ($1 + columns - 1) / columns) }
        return "\r" + (lines == 0 ? "" : ANSI.up(min(lines, rows - 1)))
    }

    /// The line, and the rest of its last row made blank; a row that is full has no rest.
    private func overwriting(_ line: String, columns: Int) -> String {
        let length = Ink.visibleLength(line)
        return line + (length > 0 && length.isMultiple(of: columns) ? "\n" : ANSI.eraseRow + "\n")
    }
}

/// The few escape sequences that drawing takes (ECMA-48).
enum ANSI {
    static let hideCursor = "\u{1B}[?25l"
    static let showCursor = "\u{1B}[?25h"
    static let eraseRow = "\u{1B}[K"
    static let eraseBelow = "\u{1B}[J"

    static func up(_ lines: Int) -> String {
        "\u{1B}[\(lines)A"
    }
}

extension Ink {
    /// How many columns a painted line takes.
    static func visibleLength(_ line: String) -> Int {
        line.replacing(#/\u{1B}\[[0-9;]*m/#, with: "").count
    }
}
