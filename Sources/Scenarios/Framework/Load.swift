// SPDX-License-Identifier: GPL-2.0-only

import Userfaultfd

/// How long scenarios of load run, and the seed of their choices.
public struct Load: Sendable {
    /// For how many seconds each stress scenario runs; 0 where none was asked for.
    public var seconds = 0
    /// What the choices are made of: the same seed makes the same ones.
    public var seed: UInt64 = 1

    /// The defaults.
    public init() {}
}

/// Choices at random that a seed reproduces (xorshift64*, Vigna 2014).
struct Choices: Sendable {
    private var state: UInt64

    /// A sequence for each pair of seed and `stream`, so that threads choose independently of each other.
    init(seed: UInt64, stream: Int = 0) {
        state = (seed &+ UInt64(stream) &* 0x9E37_79B9_7F4A_7C15) | 1
        for _ in 0..<8 { _ = word() }
    }

    /// Any word but zero.
    mutating func word() -> UInt64 {
        state ^= state >> 12
        state ^= state << 25
        state ^= state >> 27
        return state &* 0x2545_F491_4F6C_DD1D
    }

    /// A number from 0 up to, and without, `limit`.
    mutating func below(_ limit: Int) -> Int {
        Int(word() >> 33) % limit
    }

    /// One of these.
    mutating func one<Element>(of elements: [Element]) -> Element {
        elements[below(elements.count)]
    }
}
