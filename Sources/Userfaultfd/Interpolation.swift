// SPDX-License-Identifier: GPL-2.0-only

/// The pieces of "…\(value)…", one function each.
///
/// The standard library's own are copied to every place where a text is put together, some 200 bytes a piece. A suite is
/// full of such texts, nearly all of them for failures that never come, and made up half of the program. These hide the
/// library's from whoever imports this module.
extension DefaultStringInterpolation {
    /// A piece that stands in the source.
    @inline(never)
    public mutating func appendLiteral(_ literal: String) {
        write(literal)
    }

    /// A text.
    @inline(never)
    public mutating func appendInterpolation(_ value: String) {
        write(value)
    }

    /// A number.
    @inline(never)
    public mutating func appendInterpolation(_ value: Int) {
        write(value.description)
    }

    /// A number.
    @inline(never)
    public mutating func appendInterpolation(_ value: UInt) {
        write(value.description)
    }

    /// A number.
    @inline(never)
    public mutating func appendInterpolation(_ value: UInt64) {
        appendInterpolation(UInt(value))
    }

    /// A number.
    @inline(never)
    public mutating func appendInterpolation(_ value: Int32) {
        appendInterpolation(Int(value))
    }

    /// A number.
    @inline(never)
    public mutating func appendInterpolation(_ value: Int64) {
        appendInterpolation(Int(value))
    }

    /// A text of the program's own.
    @inline(never)
    public mutating func appendInterpolation(_ value: StaticString) {
        value.withUTF8Buffer { write(String(decoding: $0, as: UTF8.self)) }
    }
}
