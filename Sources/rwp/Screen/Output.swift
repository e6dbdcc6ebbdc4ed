// SPDX-License-Identifier: GPL-2.0-only

import Foundation
import KernelLab

/// Where text for a person goes: a file descriptor, or a buffer in a test.
struct Output: Sendable {
    let write: @Sendable (String) -> Void

    /// Standard output. A reader that went away (`rwp list | head`) ends the command as SIGPIPE would.
    static let standardOutput = Output { write($0, to: STDOUT_FILENO) }
    /// Standard error.
    static let standardError = Output { write($0, to: STDERR_FILENO) }

    func line(_ text: String) {
        write(text + "\n")
    }

    /// Writes all of the text, however many calls that takes.
    private static func write(_ text: String, to descriptor: Int32) {
        var bytes = Array(text.utf8)[...]
        while !bytes.isEmpty {
            let written = bytes.withUnsafeBytes { Foundation.write(descriptor, $0.baseAddress, $0.count) }
            if written > 0 {
                bytes = bytes.dropFirst(written)
            } else if errno == EPIPE {
                Interruption.current.signalled(SIGPIPE)
                return
            } else if errno == EAGAIN {
                var poll = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
                _ = Foundation.poll(&poll, 1, -1)
            } else if errno != EINTR {
                return
            }
        }
    }
}

/// The columns and rows of a terminal.
struct TerminalSize: Equatable, Sendable {
    var columns: Int
    var rows: Int

    /// The size of the terminal behind the descriptor, now; 80 by 24 where it does not say.
    static func of(_ descriptor: Int32) -> TerminalSize {
        var size = winsize()
        guard ioctl(descriptor, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0, size.ws_row > 0 else {
            return TerminalSize(columns: 80, rows: 24)
        }
        return TerminalSize(columns: Int(size.ws_col), rows: Int(size.ws_row))
    }
}
