// SPDX-License-Identifier: GPL-2.0-only

import CUserfaultfd
import Scenarios
import Userfaultfd

/// Where the threads of processes stand in the kernel (proc(5): stack, wchan, syscall, status).
enum Stacks {
    /// Lines about every thread of every process in a session.
    static func lines(of session: Int32) -> [String] {
        var lines: [String] = []
        for process in ProcessTable.all() where process.session == session {
            for thread in FileAccess.numbers(in: "/proc/\(process.identifier)/task") {
                lines += threadLines("/proc/\(process.identifier)/task/\(thread)", process, thread)
            }
        }
        return lines
    }

    private static func threadLines(_ path: String, _ process: ProcessEntry, _ thread: Int) -> [String] {
        let syscall = (try? FileAccess.line(path + "/syscall")) ?? "unknown"
        let place = (try? FileAccess.line(path + "/wchan")) ?? "unknown"
        let state =
            ((try? FileAccess.lines(path + "/status")) ?? []).first { $0.begins(with: "State:") } ?? "State: gone"
        var lines = ["hang: \(process.words), thread \(thread): \(state), wchan \(place), syscall \(syscall)"]
        for line in (try? FileAccess.lines(path + "/stack")) ?? [] { lines.append("hang:   \(line)") }
        return lines
    }
}
