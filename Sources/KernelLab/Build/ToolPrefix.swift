// SPDX-License-Identifier: GPL-2.0-only

import Glibc

extension Architecture {
    /// The prefix that compiler and linker need on this machine; empty for its own architecture.
    var toolPrefix: String {
        ToolPrefix.onThisMachine(crossPrefix, cpu: name)
    }
}

/// What the names of compiler and linker begin with.
enum ToolPrefix {
    /// The cross prefix, or nothing where this machine's own tools make code for `cpu` (as `uname -m` has it).
    static func onThisMachine(_ crossPrefix: String, cpu: String) -> String {
        cpu == hostMachine ? "" : crossPrefix
    }
}

/// uname(2)'s machine.
private let hostMachine: String = {
    var system = utsname()
    uname(&system)
    return withUnsafeBytes(of: system.machine) { bytes in
        String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
    }
}()
