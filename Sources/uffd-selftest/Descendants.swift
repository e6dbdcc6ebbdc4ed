// SPDX-License-Identifier: GPL-2.0-only

import CUserfaultfd
import Scenarios
import Userfaultfd

/// What scenarios leave running: their orphans come to this process (PR_SET_CHILD_SUBREAPER).
struct Descendants {
    /// Processes that SIGKILL did not end; they stay, and no later scenario is blamed for them.
    private var unkillable: [Int32] = []

    /// Blames nobody for this process from now on.
    mutating func giveUp(_ identifier: Int32) {
        unkillable.append(identifier)
    }

    /// The place of failures about such processes.
    static let unkillablePlace = "unkillable"

    /// Kills every child of this process, and theirs, and reaps them; a failure for each that was alive.
    /// `limit` in milliseconds is how long SIGKILL may take.
    mutating func endAll(limit: Int) -> [RunFailure] {
        var failures: [RunFailure] = []
        var killed: [Int32] = []
        let deadline = Clock.milliseconds + limit
        // Almost always there is no child at all, and /proc need not be read.
        while reapAll() {
            let orphans = ProcessTable.all().filter { $0.parent == getpid() && $0.isAlive }
            let alive = orphans.filter { !unkillable.contains($0.identifier) }
            if alive.isEmpty { return failures }
            for orphan in alive where !killed.contains(orphan.identifier) {
                failures.append(RunFailure("leak", "\(orphan.words), was left running: killed"))
                killed.append(orphan.identifier)
                kill(orphan.identifier, SIGKILL)
            }
            if Clock.milliseconds > deadline {
                for orphan in alive {
                    failures.append(RunFailure(Descendants.unkillablePlace, "\(orphan.words), stays after SIGKILL"))
                    giveUp(orphan.identifier)
                }
                return failures
            }
            waitForAny(alive[0].identifier, until: deadline)
        }
        return failures
    }

    /// Reaps every child that has ended; whether there are others.
    private func reapAll() -> Bool {
        while true {
            let result = waitpid(-1, nil, WNOHANG)
            if result == 0 { return true }
            if result < 0 && cuffd_errno() != EINTR { return false }
        }
    }

    private func waitForAny(_ identifier: Int32, until deadline: Int) {
        let pidfd = cuffd_pidfd_open(identifier)
        guard pidfd >= 0 else { return }
        defer { close(pidfd) }
        _ = try? waitReadable(pidfd, milliseconds: Int32(clamping: max(deadline - Clock.milliseconds, 0)))
    }
}
