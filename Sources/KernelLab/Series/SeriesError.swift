// SPDX-License-Identifier: GPL-2.0-only

import SystemPackage

/// What can go wrong with a series of patches.
public enum SeriesError: LabError, Hashable {
    /// What git could not apply of a patch to one file.
    public struct Reject: Sendable, Hashable {
        /// The file, relative to the tree.
        public var file: String
        /// The rejected hunks as a diff; empty where the whole file is at fault (it does not exist, say).
        public var hunks: String
    }

    /// No series has the name.
    case unknown(name: String, known: [String])
    /// The folder holds no patch.
    case empty(FilePath)
    /// The folder, or a patch in it, cannot be read.
    case unreadable(FilePath, reason: String)
    /// The file is not a patch.
    case notAPatch(FilePath, reason: String)
    /// A patch does not apply; `messages` is what git says of it.
    case doesNotApply(patch: FilePath, subject: String, tree: String, rejects: [Reject], messages: [String])
    /// The tree to be patched in place has uncommitted changes.
    case notClean(tree: FilePath, files: [String])
    /// The tree to be patched in place is no git repository.
    case notARepository(tree: FilePath)
    /// A `git am`, rebase or merge of the user's is under way in the tree.
    case busy(tree: FilePath, what: String)

    /// Status 4 for patches that are at fault, 2 for what the command line named.
    public var exitStatus: ExitStatus {
        switch self {
        case .notAPatch, .doesNotApply: .build
        default: .usage
        }
    }

    /// What happened, to which patch or tree, and what to do.
    public var description: String {
        switch self {
        case .unknown(let name, let known):
            "there is no series “\(name)”; there are: " + (known + ["none"]).joined(separator: ", ")
        case .empty(let path):
            "\(path) holds no patches (NNNN-*.patch); to build the source as it is, use --series none"
        case .unreadable(let path, let reason):
            "cannot read \(path): \(reason)"
        case .notAPatch(let path, let reason):
            "\(path) is not a patch that git understands: \(reason). Make it with git format-patch"
        case .doesNotApply(let patch, let subject, let tree, let rejects, let messages):
            Self.describe(patch, subject, tree, rejects, messages)
        case .notClean(let tree, let files):
            """
            \(tree) has uncommitted changes (\(files.prefix(5).joined(separator: ", "))\
            \(files.count > 5 ? " and \(files.count - 5) more" : "")). Commit or stash them, or leave out --in-place
            """
        case .notARepository(let tree):
            "\(tree) is no git repository, so no series can be applied in place. Leave out --in-place, or use --series none"
        case .busy(let tree, let what):
            "a \(what) is under way in \(tree): finish or abort it first, or leave out --in-place"
        }
    }

    private static func describe(
        _ patch: FilePath,
        _ subject: String,
        _ tree: String,
        _ rejects: [Reject],
        _ messages: [String]
    ) -> String {
        var text = "\(patch.lastComponent?.string ?? patch.string) (“\(subject)”) does not apply to Linux \(tree)"
        text += rejects.isEmpty ? ":" : " in \(rejects.map(\.file).joined(separator: ", ")):"
        for message in messages { text += "\n  \(message)" }
        for reject in rejects where !reject.hunks.isEmpty {
            let lines = reject.hunks.split(separator: "\n", omittingEmptySubsequences: false)
            for line in lines.prefix(60) { text += "\n    \(line)" }
            if lines.count > 60 { text += "\n    … \(lines.count - 60) more lines" }
        }
        return text + "\nRebase the series onto this source, or choose another with --series."
    }
}
