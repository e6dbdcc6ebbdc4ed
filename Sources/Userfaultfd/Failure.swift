// SPDX-License-Identifier: GPL-2.0-only

/// Why a scenario, or a call it made, did not do what it should: the one error type of the guest program.
public struct Failure: Error, Sendable {
    /// What happened, for people ("UFFDIO_COPY 0x7f…+4096: EEXIST").
    public let message: String
    /// The error number, where a system call gave one.
    public let errno: Errno?
    /// How much of the range had been done when the call failed, in bytes, where the call tells.
    public let progress: Int64

    /// Makes a failure of words alone.
    public init(_ message: String) {
        self.message = message
        errno = nil
        progress = 0
    }

    /// Makes a failure of a system call: `call` is its name and object, `code` the error number.
    @inline(never)
    public init(call: String, code: Int32, progress: Int64 = 0) {
        errno = Errno(code: code)
        message = "\(call): \(Errno(code: code).name)"
        self.progress = progress
    }
}

/// Passes a non-negative result on and turns a negative one (a negated error number) into a `Failure` of `call`.
@discardableResult
public func checked(_ call: @autoclosure () -> String, _ result: Int) throws(Failure) -> Int {
    if result < 0 {
        throw Failure(call: call(), code: Int32(truncatingIfNeeded: -result))
    }
    return result
}

/// Passes a non-negative result on and turns a negative one (a negated error number) into a `Failure` of `call`.
@discardableResult
public func checked(_ call: @autoclosure () -> String, _ result: Int32) throws(Failure) -> Int32 {
    Int32(try checked(call(), Int(result)))
}

/// A number as the kernel prints addresses: "0x7f12a000".
@inline(never)
public func hex(_ value: UInt) -> String {
    "0x" + String(value, radix: 16)
}
