// SPDX-License-Identifier: GPL-2.0-only

import SystemPackage

/// Why a machine could not be started, or its run not be recorded. What happens to a machine that runs is a
/// `MachineEnd`, not an error.
public enum MachineError: LabError, Hashable {
    /// The program that should be QEMU did not say so.
    case notQEMU(program: String, output: String)
    /// QEMU is older than the machine's description demands.
    case qemuTooOld(program: String, version: String, minimum: String)
    /// QEMU ended at once, before the machine's first instruction: it did not like its arguments.
    case qemuRefused(program: String, status: String, messages: [String])
    /// No accelerator of the machine's can be used as asked.
    case accelerator(String)
    /// The kernel's command line cannot hold what it should.
    case commandLine(String)
    /// The kernel image or initramfs cannot be read.
    case unreadable(file: FilePath, error: Errno)
    /// A file of the run cannot be written.
    case unwritable(file: FilePath, error: Errno)

    /// What the user has to change: the command line, or the machine that `rwp` runs on.
    public var exitStatus: ExitStatus {
        switch self {
        case .commandLine, .unreadable: .usage
        default: .environment
        }
    }

    /// What happened, to what, and what to do.
    public var description: String {
        switch self {
        case .notQEMU(let program, let output):
            return "\(program) --version does not answer as QEMU does: “\(output.prefix(200))”"
        case .qemuTooOld(let program, let version, let minimum):
            return "\(program) is version \(version), and \(minimum) or later is needed; install a newer QEMU "
                + "(Debian 12 has 7.2, backports have later ones)"
        case .qemuRefused(let program, let status, let messages):
            let said = messages.isEmpty ? "it printed nothing" : messages.joined(separator: "\n    ")
            return "\(program) could not start the machine and \(status):\n    \(said)"
        case .accelerator(let reason):
            return "cannot choose an accelerator: \(reason)"
        case .commandLine(let reason):
            return "\(reason); name fewer scenarios, or use patterns"
        case .unreadable(let file, let error):
            return "cannot read \(file): \(error)"
        case .unwritable(let file, let error):
            let hint = error == .noSpace ? "; free some space" : ""
            return "cannot write \(file): \(error)\(hint)"
        }
    }
}
