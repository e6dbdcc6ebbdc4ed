// SPDX-License-Identifier: GPL-2.0-only

import SystemPackage

/// A version of QEMU's, "7.2.22".
struct QEMUVersion: Sendable, Hashable, Comparable, CustomStringConvertible {
    private let numbers: [Int]

    /// Reads "7.2" or "7.2.22"; nil for anything else.
    init?(_ text: some StringProtocol) {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        numbers = parts.compactMap { part in part.allSatisfy { $0.isASCII && $0.isNumber } ? Int(part) : nil }
        guard (2...3).contains(parts.count), numbers.count == parts.count else { return nil }
    }

    /// Reads what `qemu-system-* --version` prints: "QEMU emulator version 7.2.22 (Debian …)".
    init?(programOutput: String) {
        let words = programOutput.prefix { $0 != "\n" }.split(separator: " ")
        guard words.starts(with: ["QEMU", "emulator", "version"]), words.count > 3 else { return nil }
        // Distributions and release candidates put more after a dash or plus sign.
        self.init(words[3].prefix { $0.isNumber || $0 == "." })
    }

    static func < (one: QEMUVersion, other: QEMUVersion) -> Bool {
        one.numbers.lexicographicallyPrecedes(other.numbers)
    }

    var description: String { numbers.map(String.init).joined(separator: ".") }
}

/// A QEMU that is new enough.
struct QEMUProgram: Sendable {
    let tool: Tool
    let version: QEMUVersion

    /// Finds the program that `machine` names and asks for its version.
    ///
    /// - Throws: `ToolError.missing`, which names the Debian package; `MachineError.notQEMU`, `.qemuTooOld`.
    static func find(for machine: MachineDescription) async throws -> QEMUProgram {
        let binary = machine.qemu.binary
        var tool = binary.hasPrefix("/") ? Tool(path: FilePath(binary)) : try Tool.find(binary)
        // QEMU ends at SIGTERM within milliseconds, unless it hangs itself.
        tool.grace = .seconds(2)
        let output = try await tool.capture(["--version"])
        guard let version = QEMUVersion(programOutput: output) else {
            throw MachineError.notQEMU(program: tool.path.string, output: output)
        }
        let minimum = machine.qemu.minimumVersion
        if let oldest = QEMUVersion(minimum), version < oldest {
            throw MachineError.qemuTooOld(
                program: tool.path.string,
                version: version.description,
                minimum: minimum
            )
        }
        return QEMUProgram(tool: tool, version: version)
    }
}
