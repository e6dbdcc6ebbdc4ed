// SPDX-License-Identifier: GPL-2.0-only

import CUserfaultfd
import Scenarios
import Userfaultfd

/// Where the threads of processes stand in the kernel (proc(5): stack, wchan, syscall, status).
enum Stacks {
    /// Lines about every thread of a process and of those that descend from it.
    static func lines(ofTree root: Int32) -> [String] {
        var lines: [String] = []
        for process in ProcessTable.tree(of: root) {
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
        var lines = ["\(process.words), thread \(thread): \(state), wchan \(place), syscall \(syscall)"]
        for line in (try? FileAccess.lines(path + "/stack")) ?? [] { lines.append("  \(line)") }
        return lines
    }
}
