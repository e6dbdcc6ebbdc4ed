// SPDX-License-Identifier: GPL-2.0-only

import Synchronization
import SystemPackage

/// The kernel's scripts/checkpatch.pl on a patch.
struct StyleCheck: Sendable {
    /// A tree that has the script and what it reads.
    let tree: FilePath

    /// What it says against the patch, a line each: "12: WARNING: text"; empty where there is nothing.
    func complaints(about patch: FilePath) async throws -> [String] {
        var perl = try Tool.find("perl")
        perl.workingDirectory = tree
        let lines = Mutex<[String]>([])
        // It exits with 1 where it complains, and what it says is the answer.
        _ = try await perl.status([
            tree.pushing("scripts/checkpatch.pl").string,
            "--strict", "--no-signoff", "--terse", "--no-summary", "--color=never", "--", patch.string,
        ]) { line in lines.withLock { $0.append(line) } }
        return lines.withLock(\.self).map { String($0.trimmingPrefix("\(patch):")) }
    }
}
