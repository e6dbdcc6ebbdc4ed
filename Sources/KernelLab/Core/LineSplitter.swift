// SPDX-License-Identifier: GPL-2.0-only

/// Splits a stream of bytes into lines as it arrives.
///
/// LF, CR and CR LF end a line: progress meters (git, curl) end theirs with a CR. A line longer than `limit` bytes
/// is handed out in pieces, so that a program that never ends its line cannot fill our memory.
struct LineSplitter {
    private var line: [UInt8] = []
    private var afterCarriageReturn = false
    private let limit: Int

    init(limit: Int = 64 << 10) {
        self.limit = limit
    }

    /// Takes the next bytes and calls `body` with each line that they complete.
    mutating func append(_ bytes: some Sequence<UInt8>, _ body: (String) -> Void) {
        for byte in bytes {
            let endsCRLF = byte == UInt8(ascii: "\n") && afterCarriageReturn
            afterCarriageReturn = byte == UInt8(ascii: "\r")
            if endsCRLF { continue }
            if byte == UInt8(ascii: "\n") || byte == UInt8(ascii: "\r") {
                flush(body)
            } else {
                line.append(byte)
                if line.count == limit { flush(body) }
            }
        }
    }

    /// The stream has ended: calls `body` with a last line that nothing ended.
    mutating func finish(_ body: (String) -> Void) {
        if !line.isEmpty { flush(body) }
    }

    private mutating func flush(_ body: (String) -> Void) {
        body(String(decoding: line, as: UTF8.self))
        line.removeAll(keepingCapacity: true)
    }
}

/// The last lines of a stream.
struct LastLines {
    private(set) var lines: [String] = []
    private let count: Int

    init(_ count: Int = 20) {
        self.count = count
    }

    mutating func append(_ line: String) {
        if lines.count == count { lines.removeFirst() }
        lines.append(line)
    }
}
