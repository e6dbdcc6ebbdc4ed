// SPDX-License-Identifier: GPL-2.0-only

/// The exit statuses of `rwp`, as scripts and CI read them.
public enum ExitStatus: Int32, Sendable {
    /// Every scenario passed, or was skipped with a stated reason.
    case passed = 0
    /// At least one scenario failed.
    case scenarioFailed = 1
    /// The command line, or a file that it names, is wrong.
    case usage = 2
    /// The machine lacks a program, a package, space or network.
    case environment = 3
    /// A patch did not apply, or the kernel or guest did not build.
    case build = 4
    /// The virtual machine died: panic, hang, or an error of QEMU's.
    case machineDied = 5
    /// Interrupted by SIGINT (128 + 2, as shells report it).
    case interrupted = 130
}

/// An error that a user of `rwp` sees.
///
/// `description` says what happened, to what, and what to do about it; `exitStatus` is what the command ends with.
public protocol LabError: Error, CustomStringConvertible, Sendable {
    /// The status that `rwp` exits with when this error ends it.
    var exitStatus: ExitStatus { get }
}
