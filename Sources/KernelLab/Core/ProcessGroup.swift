// SPDX-License-Identifier: GPL-2.0-only

import Foundation
import Glibc

/// The processes that a tool started: the tool leads a process group of its own, and its children stay in it.
struct ProcessGroup: Sendable {
    /// The leader's process ID, which is the group's ID.
    let leader: pid_t

    /// Waits until the leader has ended, and leaves it to be reaped by whoever started it.
    ///
    /// Until it is reaped its ID cannot be given to another process, so the group may be signalled safely.
    func waitForLeader() async {
        await withCheckedContinuation { continuation in
            let thread = Thread { [leader] in
                var info = siginfo_t()
                while waitid(P_PID, id_t(leader), &info, WEXITED | WNOWAIT) == -1, errno == EINTR {}
                continuation.resume()
            }
            thread.start()
        }
    }

    /// Ends what is left of the group: SIGTERM, SIGKILL after `grace`. Returns when no process of it runs.
    ///
    /// Works in a cancelled task too, which is when it is needed.
    func end(grace: Duration) async {
        await Task.detached { [self] in
            guard hasLiveMembers else { return }
            kill(-leader, SIGTERM)
            if await isGone(within: grace) { return }
            kill(-leader, SIGKILL)
            // A process in an uninterruptible wait dies only when that ends; do not wait for it for ever.
            _ = await isGone(within: .seconds(10))
        }.value
    }

    /// Whether all members end within `duration`.
    ///
    /// They are not our children, so nothing but looking tells when they end.
    private func isGone(within duration: Duration) async -> Bool {
        let deadline = ContinuousClock.now + duration
        while hasLiveMembers {
            if ContinuousClock.now > deadline { return false }
            try? await Task.sleep(for: .milliseconds(20))
        }
        return true
    }

    /// Whether a process of the group runs. A zombie does not: one whose parent never reaps it would be counted for ever.
    var hasLiveMembers: Bool {
        let processes = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
        return processes.contains { name in
            guard name.first?.isNumber == true else { return false }
            guard let stat = try? String(contentsOfFile: "/proc/\(name)/stat", encoding: .utf8) else { return false }
            return isLiveMember(stat: stat)
        }
    }

    /// Reads a line of /proc/PID/stat (proc_pid_stat(5)): "PID (COMM) STATE PPID PGRP …", where COMM may hold anything.
    private func isLiveMember(stat: String) -> Bool {
        guard let commEnd = stat.lastIndex(of: ")") else { return false }
        let fields = stat[commEnd...].split(separator: " ")
        guard fields.count > 3, let group = pid_t(fields[3]) else { return false }
        return group == leader && fields[1] != "Z" && fields[1] != "X"
    }
}
