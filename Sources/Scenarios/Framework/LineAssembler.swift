// SPDX-License-Identifier: GPL-2.0-only

/// Puts lines together from pieces of any size; memory is bounded, since who writes them is under test.
public struct LineAssembler: Sendable {
    /// The bytes of one line that are kept; the rest of it is dropped.
    public static let limit = 4096

    private var pending: [UInt8] = []
    private var isPending = false

    /// Makes an assembler at the start of a stream.
    public init() {}

    /// Takes the next piece and returns the lines that it completes, without their ends.
    public mutating func add(_ bytes: some Collection<UInt8>) -> [String] {
        var lines: [String] = []
        for byte in bytes {
            if byte == UInt8(ascii: "\n") {
                lines.append(take())
            } else {
                isPending = true
                if pending.count < LineAssembler.limit { pending.append(byte) }
            }
        }
        return lines
    }

    /// Ends the stream and returns what came after the last end of line; nil where there was nothing.
    public mutating func finish() -> String? {
        isPending ? take() : nil
    }

    private mutating func take() -> String {
        defer {
            pending.removeAll(keepingCapacity: true)
            isPending = false
        }
        return String(decoding: pending, as: UTF8.self)
    }
}
