// SPDX-License-Identifier: GPL-2.0-only

/// A pattern of glob(7) for names: `*` is any bytes, `?` is one byte, all else is itself.
public struct Glob: Sendable {
    /// The pattern as it was written.
    public let pattern: String
    private let bytes: [UInt8]

    /// Makes a pattern; every text is one.
    public init(_ pattern: String) {
        self.pattern = pattern
        bytes = Array(pattern.utf8)
    }

    /// Whether the whole text matches.
    public func matches(_ text: String) -> Bool {
        let text = Array(text.utf8)
        var place = 0
        var next = 0
        // Where to go on when what follows the last `*` does not fit: let that `*` take one byte more.
        var retry: (place: Int, next: Int)?
        while next < text.count {
            if place < bytes.count && bytes[place] == UInt8(ascii: "*") {
                retry = (place + 1, next)
                place += 1
            } else if place < bytes.count && (bytes[place] == UInt8(ascii: "?") || bytes[place] == text[next]) {
                place += 1
                next += 1
            } else if let last = retry {
                retry = (last.place, last.next + 1)
                (place, next) = (last.place, last.next + 1)
            } else {
                return false
            }
        }
        return bytes[place...].allSatisfy { $0 == UInt8(ascii: "*") }
    }
}
