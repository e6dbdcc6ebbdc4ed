// SPDX-License-Identifier: GPL-2.0-only

import CUserfaultfd
import Userfaultfd

/// Where lines go: standard output, or the port to the host.
struct Output: Sendable {
    /// The descriptor.
    let descriptor: Int32

    /// Standard output.
    static let standard = Output(descriptor: 1)
    /// Standard error.
    static let error = Output(descriptor: 2)

    /// Writes a line and its end in one write(2), so that no line of another writer gets into it.
    func line(_ text: String) {
        write(text + "\n")
    }

    /// Writes a text. What cannot be written is lost: there is nobody left to tell.
    func write(_ text: String) {
        let bytes = Array(text.utf8)
        var done = 0
        while done < bytes.count {
            let count = bytes[done...].withUnsafeBytes { CUserfaultfd.write(descriptor, $0.baseAddress, $0.count) }
            if count > 0 {
                done += count
            } else if count == 0 || cuffd_errno() != EINTR {
                return
            }
        }
    }
}
