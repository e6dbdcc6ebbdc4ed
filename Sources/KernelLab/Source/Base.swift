// SPDX-License-Identifier: GPL-2.0-only

/// A released kernel to start from: "v7.2" is the newest 7.2.y that a source has, "v7.2.13" that very release.
public struct Base: Sendable, Hashable, CustomStringConvertible {
    /// VERSION of the kernel's Makefile.
    public let major: Int
    /// PATCHLEVEL.
    public let minor: Int
    /// SUBLEVEL; nil for whichever is newest.
    public let sublevel: Int?

    /// Reads "v7.2", "7.2" or "v7.2.13".
    ///
    /// - Throws: `SourceError.notABase` for anything else.
    public init(_ text: String) throws(SourceError) {
        let digits = text.hasPrefix("v") ? text.dropFirst() : text[...]
        let parts = digits.split(separator: ".", omittingEmptySubsequences: false)
        let numbers = parts.compactMap { part -> Int? in
            guard part.allSatisfy({ ("0"..."9").contains($0) }), part.count <= 4 else { return nil }
            return part.count > 1 && part.first == "0" ? nil : Int(part)
        }
        // Before 3.0 versions meant something else, and nothing there could be built here anyway.
        guard numbers.count == parts.count, (2...3).contains(numbers.count), numbers[0] >= 3 else {
            throw .notABase(text)
        }
        major = numbers[0]
        minor = numbers[1]
        sublevel = numbers.count == 3 ? numbers[2] : nil
    }

    /// "7.2" or "7.2.13".
    public var version: String { series + (sublevel.map { ".\($0)" } ?? "") }

    /// "7.2".
    public var series: String { "\(major).\(minor)" }

    /// "v7.2" or "v7.2.13", the tag's name.
    public var description: String { "v" + version }
}
