// SPDX-License-Identifier: GPL-2.0-only

import Foundation
@preconcurrency import Rainbow

/// What text may look like on this output: with or without colour, with Unicode marks or with ASCII ones.
struct Ink: Sendable {
    var colour: Bool
    var unicode: Bool

    static let plain = Ink(colour: false, unicode: false)

    /// What the terminal behind the descriptor can show: no colour in a pipe, under `NO_COLOR` (https://no-color.org)
    /// or `TERM=dumb`; Unicode where the locale says UTF-8.
    static func of(_ descriptor: Int32, environment: [String: String]) -> Ink {
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"].lazy.compactMap { environment[$0] }.first { !$0.isEmpty } ?? ""
        return Ink(
            colour: isTerminal(descriptor, environment: environment) && (environment["NO_COLOR"] ?? "").isEmpty,
            unicode: locale.uppercased().replacing("-", with: "").contains("UTF8")
        )
    }

    /// Whether the descriptor is a terminal that can move its cursor.
    static func isTerminal(_ descriptor: Int32, environment: [String: String]) -> Bool {
        isatty(descriptor) == 1 && environment["TERM", default: "dumb"] != "dumb"
    }

    func red(_ text: String) -> String { paint(text, .red) }
    func green(_ text: String) -> String { paint(text, .green) }
    func yellow(_ text: String) -> String { paint(text, .yellow) }
    func cyan(_ text: String) -> String { paint(text, .cyan) }
    func bold(_ text: String) -> String { paint(text, style: .bold) }
    func dim(_ text: String) -> String { paint(text, style: .dim) }

    var passed: String { unicode ? "✓" : "+" }
    var failed: String { unicode ? "✗" : "x" }
    var skipped: String { unicode ? "○" : "-" }
    var waiting: String { unicode ? "·" : "." }
    var ellipsis: String { unicode ? "…" : "~" }
    var dash: String { unicode ? "—" : "-" }
    var spinner: [String] { unicode ? ["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"] : ["|", "/", "-", "\\"] }
    var full: String { unicode ? "█" : "#" }
    var empty: String { unicode ? "░" : "." }

    private func paint(_ text: String, _ color: NamedColor? = nil, style: Style? = nil) -> String {
        guard colour else { return text }
        Self.takeOverRainbow
        return Rainbow.generateString(
            for: Rainbow.Entry(segments: [
                .init(text: text, color: color.map(ColorType.named), styles: style.map { [$0] })
            ])
        )
    }

    /// Rainbow looks at standard output by itself; here the descriptor in question decides.
    private static let takeOverRainbow: Void = {
        Rainbow.outputTarget = .console
        Rainbow.enabled = true
    }()
}

extension String {
    /// The text without control characters: what a guest prints must not be able to move the cursor.
    var printable: String {
        String(String.UnicodeScalarView(unicodeScalars.map { $0.properties.generalCategory == .control ? " " : $0 }))
    }

    /// At most `width` characters of it, ending in the ellipsis where something was cut.
    func cut(to width: Int, ellipsis: String) -> String {
        guard count > width else { return self }
        return width > 0 ? prefix(width - 1) + ellipsis : ""
    }

    /// The text and as many spaces as make it `width` long.
    func padded(to width: Int) -> String {
        count < width ? self + String(repeating: " ", count: width - count) : self
    }
}

/// A stretch of text and how it is painted; cutting and padding look at the text alone.
struct Span: Sendable {
    var text: String
    var paint: @Sendable (Ink, String) -> String

    init(_ text: String, _ paint: @escaping @Sendable (Ink, String) -> String = { $1 }) {
        self.text = text
        self.paint = paint
    }
}

extension [Span] {
    /// How many columns the spans take.
    var width: Int { reduce(0) { $0 + $1.text.count } }

    /// The line as text of at most `columns` columns.
    func rendered(_ ink: Ink, columns: Int = .max) -> String {
        var left = columns
        var line = ""
        for span in self where left > 0 {
            let text = span.text.cut(to: left, ellipsis: ink.ellipsis)
            left -= text.count
            line += span.paint(ink, text)
        }
        return line
    }
}
