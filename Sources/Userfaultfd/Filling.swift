// SPDX-License-Identifier: GPL-2.0-only

import CUserfaultfd

/// The ioctls that put pages into a registered range.
///
/// Each returns when the whole range is done; a part done tells `Failure.progress` how many bytes.
extension Userfaultfd {
    /// Mode bits of COPY and CONTINUE; the bits have the same values in both.
    public struct FillMode: OptionSet, Sendable {
        /// The bits.
        public let rawValue: UInt64

        /// Makes a set of raw bits.
        public init(rawValue: UInt64) {
            self.rawValue = rawValue
        }

        /// Leaves the waiters asleep.
        public static let dontWake = FillMode(rawValue: 1 << 0)
        /// The page arrives write-protected.
        public static let writeProtect = FillMode(rawValue: 1 << 1)
    }

    /// Mode bits of MOVE.
    public struct MoveMode: OptionSet, Sendable {
        /// The bits.
        public let rawValue: UInt64

        /// Makes a set of raw bits.
        public init(rawValue: UInt64) {
            self.rawValue = rawValue
        }

        /// Leaves the waiters asleep.
        public static let dontWake = MoveMode(rawValue: 1 << 0)
        /// Skips addresses of the source without a page.
        public static let allowSourceHoles = MoveMode(rawValue: 1 << 1)
    }

    /// `UFFDIO_COPY`: fills `range` with the bytes at `source`.
    public func copy(to range: AddressRange, from source: UInt, _ mode: FillMode = []) throws(Failure) {
        var argument = uffdio_copy(
            dst: UInt64(range.start),
            src: UInt64(source),
            len: UInt64(range.length),
            mode: mode.rawValue,
            copy: 0
        )
        try fill("UFFDIO_COPY \(range.words)", range, CUFFD_COPY, &argument, done: { $0.copy })
    }

    /// `UFFDIO_ZEROPAGE`: fills the range with zeroes. EINVAL on hugetlb.
    @inline(never)
    public func zeropage(_ range: AddressRange, dontWake: Bool = false) throws(Failure) {
        var argument = uffdio_zeropage(range: range.uapi, mode: dontWake ? 1 : 0, zeropage: 0)
        try fill("UFFDIO_ZEROPAGE \(range.words)", range, CUFFD_ZEROPAGE, &argument, done: { $0.zeropage })
    }

    /// `UFFDIO_CONTINUE`: maps the pages that the page cache has for the range.
    @inline(never)
    public func `continue`(_ range: AddressRange, _ mode: FillMode = []) throws(Failure) {
        var argument = uffdio_continue(range: range.uapi, mode: mode.rawValue, mapped: 0)
        try fill("UFFDIO_CONTINUE \(range.words)", range, CUFFD_CONTINUE, &argument, done: { $0.mapped })
    }

    /// `UFFDIO_POISON`: an access to the range raises SIGBUS from now on.
    @inline(never)
    public func poison(_ range: AddressRange, dontWake: Bool = false) throws(Failure) {
        var argument = uffdio_poison(range: range.uapi, mode: dontWake ? 1 : 0, updated: 0)
        try fill("UFFDIO_POISON \(range.words)", range, CUFFD_POISON, &argument, done: { $0.updated })
    }

    /// `UFFDIO_MOVE`: moves the pages at `source` into `range` (rule L5).
    public func move(to range: AddressRange, from source: UInt, _ mode: MoveMode = []) throws(Failure) {
        var argument = uffdio_move(
            dst: UInt64(range.start),
            src: UInt64(source),
            len: UInt64(range.length),
            mode: mode.rawValue,
            move: 0
        )
        try fill("UFFDIO_MOVE \(range.words)", range, CUFFD_MOVE, &argument, done: { $0.move })
    }

    private func fill<Argument: BitwiseCopyable>(
        _ name: @autoclosure () -> String,
        _ range: AddressRange,
        _ number: UInt,
        _ argument: inout Argument,
        done: (Argument) -> Int64
    ) throws(Failure) {
        let result = cuffd_ioctl(descriptor, number, &argument)
        if result < 0 {
            throw Failure(call: name(), code: -result, progress: max(done(argument), 0))
        }
        if done(argument) != Int64(range.length) {
            throw Failure("\(name()): returned 0, but did \(done(argument)) bytes")
        }
    }
}
