// SPDX-License-Identifier: GPL-2.0-only

import Synchronization

/// What apt complains of while it runs: lines that begin with "E:" or "W:".
final class Complaints: Sendable {
    private let lines = Mutex<[String]>([])

    func take(_ line: String) {
        // That it fetches as us and not as its own user is so because the cache is ours.
        guard line.hasPrefix("E: ") || line.hasPrefix("W: "), !line.contains("unsandboxed") else { return }
        lines.withLock { $0.append(String(line.dropFirst(3))) }
    }

    /// The complaints, or "" if there were none.
    var text: String { lines.withLock { $0.suffix(4).joined(separator: "; ") } }
}
