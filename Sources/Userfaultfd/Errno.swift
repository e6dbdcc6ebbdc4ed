// SPDX-License-Identifier: GPL-2.0-only

import CUserfaultfd

/// The error number of a failed system call; errno(3) explains each.
public struct Errno: Error, Equatable, Sendable {
    /// The number, positive.
    public let code: Int32

    /// Wraps an error number.
    public init(code: Int32) {
        self.code = code
    }

    /// The name that errno(3) gives the number ("EINVAL"), or "errno 512" for one without a name here.
    public var name: String {
        for known in Errno.names where known.0 == code {
            return "\(known.1)"
        }
        return "errno \(code)"
    }

    private static let names: [(Int32, StaticString)] = [
        (CUserfaultfd.EACCES, "EACCES"), (CUserfaultfd.EAGAIN, "EAGAIN"), (CUserfaultfd.EBADF, "EBADF"),
        (CUserfaultfd.EBUSY, "EBUSY"), (CUserfaultfd.ECHILD, "ECHILD"), (CUserfaultfd.EEXIST, "EEXIST"),
        (CUserfaultfd.EFAULT, "EFAULT"), (CUserfaultfd.EFBIG, "EFBIG"), (CUserfaultfd.EHWPOISON, "EHWPOISON"),
        (CUserfaultfd.EINTR, "EINTR"), (CUserfaultfd.EINVAL, "EINVAL"), (CUserfaultfd.EIO, "EIO"),
        (CUserfaultfd.ENODEV, "ENODEV"), (CUserfaultfd.ENOENT, "ENOENT"), (CUserfaultfd.ENOMEM, "ENOMEM"),
        (CUserfaultfd.ENOSPC, "ENOSPC"), (CUserfaultfd.ENOSYS, "ENOSYS"), (CUserfaultfd.ENOTTY, "ENOTTY"),
        (CUserfaultfd.ENXIO, "ENXIO"), (CUserfaultfd.EOPNOTSUPP, "EOPNOTSUPP"), (CUserfaultfd.EPERM, "EPERM"),
        (CUserfaultfd.EPIPE, "EPIPE"), (CUserfaultfd.ESRCH, "ESRCH"), (CUserfaultfd.ETIMEDOUT, "ETIMEDOUT"),
    ]

    /// Permission denied.
    public static let access = Errno(code: CUserfaultfd.EACCES)
    /// Try again; for userfaultfd, the mappings changed under the call or nothing is there to read.
    public static let again = Errno(code: CUserfaultfd.EAGAIN)
    /// Bad file descriptor.
    public static let badFile = Errno(code: CUserfaultfd.EBADF)
    /// Busy; for userfaultfd, the range is registered elsewhere or would lose a mode.
    public static let busy = Errno(code: CUserfaultfd.EBUSY)
    /// Already there; for userfaultfd, the destination is populated.
    public static let exists = Errno(code: CUserfaultfd.EEXIST)
    /// Bad address.
    public static let fault = Errno(code: CUserfaultfd.EFAULT)
    /// A page with a hardware error, or poisoned by `UFFDIO_POISON`.
    public static let hardwarePoison = Errno(code: CUserfaultfd.EHWPOISON)
    /// Interrupted by a signal.
    public static let interrupted = Errno(code: CUserfaultfd.EINTR)
    /// Invalid argument.
    public static let invalid = Errno(code: CUserfaultfd.EINVAL)
    /// No such file; for userfaultfd, no registered VMA in the range.
    public static let noEntry = Errno(code: CUserfaultfd.ENOENT)
    /// Out of memory, or no mapping there.
    public static let noMemory = Errno(code: CUserfaultfd.ENOMEM)
    /// No such request of this descriptor.
    public static let noRequest = Errno(code: CUserfaultfd.ENOTTY)
    /// No such process; for userfaultfd, the mm is gone.
    public static let noProcess = Errno(code: CUserfaultfd.ESRCH)
    /// No such system call.
    public static let noSystemCall = Errno(code: CUserfaultfd.ENOSYS)
    /// Operation not permitted.
    public static let notPermitted = Errno(code: CUserfaultfd.EPERM)
    /// The operation is not supported on this object.
    public static let notSupported = Errno(code: CUserfaultfd.EOPNOTSUPP)
}
