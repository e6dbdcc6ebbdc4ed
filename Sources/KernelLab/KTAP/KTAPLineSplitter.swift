// SPDX-License-Identifier: GPL-2.0-only

/// Cuts a KTAP stream, which arrives in chunks of any size, into lines.
///
/// Unlike `LineSplitter`, which shows people what programs print, it tells a line that is whole from one that is not:
/// `ok 1` may be the start of `ok 12`. A line ends at LF or CR LF; a lone CR belongs to it. Bytes that are not UTF-8 become U+FFFD, so that a broken line still can be shown. Memory
/// is bounded: of a line longer than `limit` bytes the start is kept and the rest dropped.
struct KTAPLineSplitter: Sendable {
    /// One line, without its end.
    struct Line: Sendable, Hashable {
        /// The text, with U+FFFD for what was not UTF-8.
        var text: String
        /// Bytes dropped because the line was too long.
        var droppedBytes: Int
        /// False where the stream ended before the line did.
        var isTerminated: Bool
    }

    /// The bytes of one line that are kept.
    static let limit = 64 * 1024

    private var pending: [UInt8] = []
    private var dropped = 0

    /// Makes a splitter at the start of a stream.
    init() {}

    /// Takes the next chunk and returns the lines that it completes.
    mutating func split(_ bytes: some Collection<UInt8>) -> [Line] {
        var lines: [Line] = []
        var rest = bytes[...]
        while let end = rest.firstIndex(of: UInt8(ascii: "\n")) {
            keep(rest[..<end])
            lines.append(takeLine(terminated: true))
            rest = rest[rest.index(after: end)...]
        }
        keep(rest)
        return lines
    }

    /// Ends the stream and returns what came after the last end of line; nil where there was nothing.
    mutating func finish() -> Line? {
        pending.isEmpty && dropped == 0 ? nil : takeLine(terminated: false)
    }

    private mutating func keep(_ bytes: some Collection<UInt8>) {
        let room = Self.limit - pending.count
        pending.append(contentsOf: bytes.prefix(room))
        dropped += max(0, bytes.count - room)
    }

    private mutating func takeLine(terminated: Bool) -> Line {
        if terminated && dropped == 0 && pending.last == UInt8(ascii: "\r") {
            pending.removeLast()
        }
        defer {
            pending.removeAll(keepingCapacity: true)
            dropped = 0
        }
        return Line(text: String(decoding: pending, as: UTF8.self), droppedBytes: dropped, isTerminated: terminated)
    }
}
