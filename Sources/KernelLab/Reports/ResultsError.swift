// SPDX-License-Identifier: GPL-2.0-only

import SystemPackage

/// What can go wrong with a folder of results.
public enum ResultsError: LabError, Hashable {
    /// A file or folder cannot be written.
    case unwritable(file: FilePath, error: Errno)
    /// A file cannot be read.
    case unreadable(file: FilePath, error: Errno)
    /// `results.json` is not what this version of `rwp` writes; `reason` says where.
    case corrupt(file: FilePath, reason: String)
    /// `results.json` has a layout of another version of `rwp`.
    case wrongSchema(file: FilePath, found: Int)

    /// The machine has no room or no rights, or the user named a bad folder.
    public var exitStatus: ExitStatus {
        switch self {
        case .unwritable: .environment
        default: .usage
        }
    }

    /// What happened, to which file, and what to do.
    public var description: String {
        switch self {
        case .unwritable(let file, let error):
            let hint = error == .noSpace ? "; free some space, or name another folder with --results" : ""
            return "cannot write the results to \(file): \(error)\(hint)"
        case .unreadable(let file, let error):
            return "cannot read \(file): \(error); name a folder that “rwp test” has written"
        case .corrupt(let file, let reason):
            return "\(file) is corrupt: \(reason)"
        case .wrongSchema(let file, let found):
            return "\(file) has layout \(found), and this rwp reads \(Results.schemaVersion); use the rwp that wrote it"
        }
    }
}
