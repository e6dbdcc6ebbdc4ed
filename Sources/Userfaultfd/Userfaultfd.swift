// SPDX-License-Identifier: GPL-2.0-only

import CUserfaultfd

/// A userfaultfd: userfaultfd(2), ioctl_userfaultfd(2) and `Documentation/admin-guide/mm/userfaultfd.rst`.
///
/// A value is only the descriptor's number: copies are the same descriptor, and nothing closes it but `close()` and
/// the end of the process. Every call throws a `Failure` with the error number that the kernel gave.
public struct Userfaultfd: Sendable {
    /// The descriptor.
    public let descriptor: Int32

    /// Wraps a descriptor that came by a fork event.
    public init(descriptor: Int32) {
        self.descriptor = descriptor
    }

    /// Flags of userfaultfd(2).
    public struct OpenFlags: OptionSet, Sendable {
        /// The bits.
        public let rawValue: Int32

        /// Makes a set of raw bits.
        public init(rawValue: Int32) {
            self.rawValue = rawValue
        }

        /// Reads do not block (O_NONBLOCK); poll(2) works only so.
        public static let nonblocking = OpenFlags(rawValue: O_NONBLOCK)
        /// Handle faults of user mode alone (`UFFD_USER_MODE_ONLY`).
        public static let userModeOnly = OpenFlags(rawValue: 1)
    }

    /// Opens a descriptor that has yet to shake hands. EPERM without CAP_SYS_PTRACE, unless `.userModeOnly` or
    /// `vm.unprivileged_userfaultfd`.
    public static func open(_ flags: OpenFlags = []) throws(Failure) -> Userfaultfd {
        let result = cuffd_syscall(Int(SYS_userfaultfd), Int(flags.rawValue | O_CLOEXEC), 0, 0, 0, 0, 0)
        return Userfaultfd(descriptor: Int32(try checked("userfaultfd", result)))
    }

    /// Opens a descriptor and shakes hands, asking for `features`.
    public init(features: Features, flags: OpenFlags = [.nonblocking]) throws(Failure) {
        self = try Userfaultfd.open(flags)
        _ = try handshake(features)
    }

    /// What the kernel answers to `UFFDIO_API`.
    public struct Handshake: Sendable, Equatable {
        /// The features that the kernel has, whether asked for or not.
        public let features: Features
        /// The ioctls of the descriptor itself.
        public let ioctls: Ioctls
    }

    /// `UFFDIO_API` (rules N1, N2).
    public func handshake(_ features: Features = []) throws(Failure) -> Handshake {
        var argument = uffdio_api(api: 0xAA, features: features.rawValue, ioctls: 0)
        try request("UFFDIO_API", CUFFD_API, &argument)
        return Handshake(
            features: Features(rawValue: argument.features),
            ioctls: Ioctls(rawValue: argument.ioctls)
        )
    }

    /// What this kernel offers, asked through a descriptor of its own.
    public static func offered() throws(Failure) -> Handshake {
        let probe = try Userfaultfd.open([.userModeOnly])
        defer { probe.close() }
        return try probe.handshake()
    }

    /// Closes the descriptor; what it had registered is unregistered (rule L6).
    public func close() {
        _ = CUserfaultfd.close(descriptor)
    }

    /// `UFFDIO_REGISTER`: the ioctls that work on the range (rules G1 to G4).
    @discardableResult
    public func register(_ range: AddressRange, _ mode: RegisterMode) throws(Failure) -> Ioctls {
        var argument = uffdio_register(range: range.uapi, mode: mode.rawValue, ioctls: 0)
        try request("UFFDIO_REGISTER \(range.words)", CUFFD_REGISTER, &argument)
        return Ioctls(rawValue: argument.ioctls)
    }

    /// `UFFDIO_UNREGISTER` (rule L6).
    public func unregister(_ range: AddressRange) throws(Failure) {
        var argument = range.uapi
        try request("UFFDIO_UNREGISTER \(range.words)", CUFFD_UNREGISTER, &argument)
    }

    /// `UFFDIO_WAKE`: lets the threads that wait on the range try their access again.
    public func wake(_ range: AddressRange) throws(Failure) {
        var argument = range.uapi
        try request("UFFDIO_WAKE \(range.words)", CUFFD_WAKE, &argument)
    }

    /// `UFFDIO_WRITEPROTECT`: protects the range, or resolves it and wakes its waiters unless `dontWake`.
    public func writeProtect(
        _ range: AddressRange,
        _ protect: Bool = true,
        dontWake: Bool = false
    ) throws(Failure) {
        try writeProtect(range, mode: (protect ? 1 : 0) | (dontWake ? 2 : 0))
    }

    /// `UFFDIO_WRITEPROTECT` with mode bits as they are, for bad calls.
    @inline(never)
    public func writeProtect(_ range: AddressRange, mode: UInt64) throws(Failure) {
        var argument = uffdio_writeprotect(range: range.uapi, mode: mode)
        try request("UFFDIO_WRITEPROTECT \(range.words)", CUFFD_WRITEPROTECT, &argument)
    }

    /// `UFFDIO_RWPROTECT`: arms the range (rule P1), or resolves it and wakes its waiters unless `dontWake` (P2).
    public func readWriteProtect(
        _ range: AddressRange,
        _ protect: Bool = true,
        dontWake: Bool = false
    ) throws(Failure) {
        try readWriteProtect(range, mode: (protect ? 1 : 0) | (dontWake ? 2 : 0))
    }

    /// `UFFDIO_RWPROTECT` with mode bits as they are, for bad calls (rule P4).
    @inline(never)
    public func readWriteProtect(_ range: AddressRange, mode: UInt64) throws(Failure) {
        var argument = uffdio_rwprotect(range: range.uapi, mode: mode)
        try request("UFFDIO_RWPROTECT \(range.words)", CUFFD_RWPROTECT, &argument)
    }

    /// `UFFDIO_SET_MODE` (rules M1, M2).
    public func setMode(enable: Features = [], disable: Features = []) throws(Failure) {
        var argument = uffdio_set_mode(enable: enable.rawValue, disable: disable.rawValue)
        try request("UFFDIO_SET_MODE", CUFFD_SET_MODE, &argument)
    }

    /// Any ioctl with an argument of the caller's, for bad pointers and unknown requests.
    public func request(_ name: String, _ number: UInt, argument: UInt) throws(Failure) {
        let result = cuffd_ioctl(descriptor, number, UnsafeMutableRawPointer(bitPattern: argument))
        try checked(name, result)
    }

    func request<Argument: BitwiseCopyable>(
        _ name: @autoclosure () -> String,
        _ number: UInt,
        _ argument: inout Argument
    ) throws(Failure) {
        let result = cuffd_ioctl(descriptor, number, &argument)
        try checked(name(), result)
    }
}
