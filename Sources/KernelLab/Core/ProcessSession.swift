// SPDX-License-Identifier: GPL-2.0-only

import Foundation
import Glibc

/// The processes that a tool started: the tool leads a session of its own (setsid(2)), and they stay in it.
///
/// A process group would not do: shells with job control, and SwiftPM, give each child a group of its own.
struct ProcessSession: Sendable, Hashable {
    /// The leader's process ID, which is the session's ID.
    let leader: pid_t

    /// Waits until the leader has ended, and leaves it to be reaped by whoever started it.
    ///
    /// Until it is reaped its ID cannot be given to another process, so the session may be signalled safely.
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

    /// Ends what is left of the session: SIGTERM, SIGKILL after `grace`. Returns when no process of it runs.
    ///
    /// Works in a cancelled task too, which is when it is needed.
    func end(grace: Duration) async {
        await Task.detached { [self] in
            guard !liveGroups.isEmpty else { return }
            signal(SIGTERM)
            if await isGone(within: grace) { return }
            signal(SIGKILL)
            // A process in an uninterruptible wait dies only when that ends; do not wait for it for ever.
            _ = await isGone(within: .seconds(10))
        }.value
    }

    /// Sends a signal to every process that runs. Those that one of them starts meanwhile inherit what it leaves.
    func signal(_ number: Int32) {
        for group in liveGroups { kill(-group, number) }
    }

    /// Whether all members end within `duration`.
    ///
    /// They are not our children, so nothing but looking tells when they end.
    private func isGone(within duration: Duration) async -> Bool {
        let deadline = ContinuousClock.now + duration
        while !liveGroups.isEmpty {
            if ContinuousClock.now > deadline { return false }
            try? await Task.sleep(for: .milliseconds(20))
        }
        return true
    }

    /// The process groups of the session in which a process runs: a group never reaches over into another session.
    ///
    /// A zombie does not run: one whose parent never reaps it would be counted for ever.
    private var liveGroups: Set<pid_t> {
        let processes = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
        return Set(
            processes.compactMap { name in
                guard name.first?.isNumber == true else { return nil }
                let stat = try? String(contentsOfFile: "/proc/\(name)/stat", encoding: .utf8)
                return stat.flatMap(liveGroup(stat:))
            }
        )
    }

    /// The group that a line of /proc/PID/stat (proc_pid_stat(5)) tells, if its process runs and is of the session: "PID (COMM)
    /// STATE PPID PGRP SESSION …", where COMM may hold anything.
    private func liveGroup(stat: String) -> pid_t? {
        guard let commEnd = stat.lastIndex(of: ")") else { return nil }
        let fields = stat[commEnd...].split(separator: " ")
        guard fields.count > 4, pid_t(fields[4]) == leader, fields[1] != "Z", fields[1] != "X" else { return nil }
        return pid_t(fields[3])
    }
}
