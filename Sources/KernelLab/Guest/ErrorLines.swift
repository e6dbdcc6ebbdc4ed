// SPDX-License-Identifier: GPL-2.0-only

import Synchronization

/// Keeps a compiler's error lines, out of all that it prints.
final class ErrorLines: Sendable {
    private let kept = Mutex<[String]>([])

    /// Reads one line.
    func take(_ line: String) {
        // The compiler also draws each error ("    |  `- error: …"), which only repeats it.
        guard line.contains("error:"), !line.contains("- error:") else { return }
        kept.withLock { lines in
            // SwiftPM prints an error once a module that meets it.
            if lines.count < 20, !lines.contains(line) { lines.append(line) }
        }
    }

    /// The first of them.
    var lines: [String] { kept.withLock { $0 } }
}
