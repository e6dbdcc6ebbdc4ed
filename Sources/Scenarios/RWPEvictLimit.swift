// SPDX-License-Identifier: GPL-2.0-only

import CUserfaultfd
import Userfaultfd

/// A memory cgroup that the calling process is in, with a limit of its own
/// (`Documentation/admin-guide/cgroup-v2.rst`, "Memory").
struct MemoryLimit {
    /// What it needs of the machine. A scenario that is killed leaves the cgroup behind.
    static let needs: [Need] = [
        .file("/sys/fs/cgroup/memory.stat", "CONFIG_MEMCG and cgroup2 on /sys/fs/cgroup"), .swap, .root, .ownMachine,
    ]

    private static let parent = "/sys/fs/cgroup"
    private static let path = parent + "/uffd-selftest"

    /// Moves the process into the cgroup, without a limit so far. What it had before is not counted there.
    init() throws(Failure) {
        if mkdir(MemoryLimit.path, 0o755) != 0 && cuffd_errno() != EEXIST {
            throw Failure(call: "mkdir \(MemoryLimit.path)", code: cuffd_errno())
        }
        try FileAccess.write(MemoryLimit.path + "/memory.max", "max")
        try FileAccess.write(MemoryLimit.path + "/cgroup.procs", "0")
    }

    /// Sets the limit to so many bytes less than what is in use, which the kernel swaps out at once, and keeps swapping.
    func tighten(by bytes: UInt) throws(Failure) {
        let used = try FileAccess.number(MemoryLimit.path + "/memory.current")
        try FileAccess.write(MemoryLimit.path + "/memory.max", "\(used - Int(bytes))")
    }

    /// Asks the kernel to reclaim so many bytes, of whatever it likes. It may find less to reclaim.
    func reclaim(_ bytes: Int) throws(Failure) {
        do throws(Failure) {
            try FileAccess.write(MemoryLimit.path + "/memory.reclaim", "\(bytes)")
        } catch {
            if error.errno != .again { throw error }
        }
    }

    /// How many bytes of the cgroup's memory are swapped out now.
    var swapped: Int {
        get throws(Failure) { try FileAccess.number(MemoryLimit.path + "/memory.swap.current") }
    }

    /// Moves the process back and removes the cgroup.
    func end() throws(Failure) {
        try FileAccess.write(MemoryLimit.path + "/memory.max", "max")
        try FileAccess.write(MemoryLimit.parent + "/cgroup.procs", "0")
        if rmdir(MemoryLimit.path) != 0 { throw Failure(call: "rmdir \(MemoryLimit.path)", code: cuffd_errno()) }
    }
}
