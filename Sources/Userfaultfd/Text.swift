// SPDX-License-Identifier: GPL-2.0-only

/// Texts of the kernel's, byte by byte.
///
/// `==`, `split` and friends of `String` compare characters, for which Embedded Swift must link Unicode's tables
/// (`libswiftUnicodeDataTables`). The kernel speaks ASCII, so the guest program compares bytes, with these, and never
/// with those. Like the library's, they would be copied to every place that calls them: that keeps the program small.
extension String {
    /// Whether both have the same bytes.
    @inline(never)
    public func isSame(as other: String) -> Bool {
        utf8.elementsEqual(other.utf8)
    }

    /// Whether the bytes begin with those of `prefix`.
    @inline(never)
    public func begins(with prefix: String) -> Bool {
        utf8.starts(with: prefix.utf8)
    }

    /// Whether the bytes end with those of `suffix`.
    @inline(never)
    public func ends(with suffix: String) -> Bool {
        utf8.suffix(suffix.utf8.count).elementsEqual(suffix.utf8)
    }

    /// What follows `prefix`; nil where the bytes do not begin with it.
    @inline(never)
    public func rest(after prefix: String) -> String? {
        begins(with: prefix) ? String(decoding: Array(utf8.dropFirst(prefix.utf8.count)), as: UTF8.self) : nil
    }

    /// Whether the bytes of `part` are in it somewhere.
    @inline(never)
    public func includes(_ part: String) -> Bool {
        let bytes = Array(utf8)
        let wanted = Array(part.utf8)
        guard wanted.count <= bytes.count else { return false }
        return (0...(bytes.count - wanted.count)).contains { start in
            bytes[start..<(start + wanted.count)].elementsEqual(wanted)
        }
    }

    /// The parts between blanks and tabs; empty parts are left out.
    @inline(never)
    public var words: [String] {
        utf8.split { $0 == 0x20 || $0 == 0x09 }.map { String(decoding: Array($0), as: UTF8.self) }
    }

    /// The parts between single `separator` bytes; empty parts are kept.
    @inline(never)
    public func parts(separatedBy separator: UInt8) -> [String] {
        utf8.split(separator: separator, omittingEmptySubsequences: false).map {
            String(decoding: Array($0), as: UTF8.self)
        }
    }

    /// The decimal number of ASCII digits that it is, with a leading minus or without; nil for anything else.
    @inline(never)
    public var number: Int? {
        var value = 0
        var digits = Array(utf8)[...]
        let negative = digits.first == 0x2D
        if negative { digits = digits.dropFirst() }
        guard !digits.isEmpty else { return nil }
        for byte in digits {
            guard byte >= 0x30 && byte <= 0x39 else { return nil }
            let (product, overflow) = value.multipliedReportingOverflow(by: 10)
            let (sum, carry) = product.addingReportingOverflow(Int(byte - 0x30))
            if overflow || carry { return nil }
            value = sum
        }
        return negative ? -value : value
    }
}

extension StaticString {
    /// The same text as a `String`.
    @inline(never)
    public var text: String { "\(self)" }
}
