// SPDX-License-Identifier: GPL-2.0-only

import CUserfaultfd

/// The error number of a failed system call, as errno(3) names it.
public struct Errno: Error, Equatable, Sendable {
    /// The number, positive.
    public let code: Int32

    /// Wraps an error number.
    public init(code: Int32) {
        self.code = code
    }
}
