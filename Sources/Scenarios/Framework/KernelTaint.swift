// SPDX-License-Identifier: GPL-2.0-only

import Userfaultfd

/// Bits of /proc/sys/kernel/tainted (`Documentation/admin-guide/tainted-kernels.rst`).
public enum KernelTaint {
    private static let names: [(bit: Int, words: StaticString)] = [
        (4, "machine check"), (5, "bad page"), (7, "oops or BUG"), (9, "warning"), (14, "soft lockup"),
    ]

    /// The bits that tell of a fault of the kernel; others tell of modules, firmware or the user.
    public static let faults = names.reduce(0) { $0 | 1 << $1.bit }

    /// The bits in words: "the kernel is tainted now: warning, oops or BUG".
    public static func words(_ taint: Int) -> String {
        var text = ""
        for name in names where taint >> name.bit & 1 == 1 {
            text += (text.utf8.isEmpty ? "" : ", ") + name.words.text
        }
        return "the kernel is tainted now: \(text)"
    }
}
