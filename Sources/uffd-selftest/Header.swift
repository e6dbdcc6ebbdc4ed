// SPDX-License-Identifier: GPL-2.0-only

import CUserfaultfd
import Scenarios
import Userfaultfd

/// What the stream tells about the machine before the plan.
enum Header {
    /// Writes it; `notes` say what is missing.
    static func write(to output: Output, _ requirements: Requirements, notes: [String]) {
        let release = (try? FileAccess.line("/proc/sys/kernel/osrelease")) ?? "unknown"
        let swaps = max(((try? FileAccess.lines("/proc/swaps")) ?? []).count - 1, 0)
        output.line(KTAP.note("kernel: \(release)"))
        output.line(KTAP.note("features: \(requirements.features?.description ?? "no userfaultfd")"))
        output.line(
            KTAP.note(
                "cpus: \(sysconf(Int32(_SC_NPROCESSORS_ONLN))), nodes: \(Requirements.nodes),"
                    + " page size: \(basePageSize), swap areas: \(swaps)"
            )
        )
        for note in notes { output.line(KTAP.note("note: \(note)")) }
    }
}
