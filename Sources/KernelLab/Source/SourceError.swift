// SPDX-License-Identifier: GPL-2.0-only

import SystemPackage

/// What can go wrong on the way to a kernel source tree.
public enum SourceError: LabError, Hashable {
    /// One way to a source that was tried, and why it failed.
    public struct Attempt: Sendable, Hashable {
        /// "kernel.org", "Debian's linux-source-7.2".
        public var way: String
        /// Why it failed.
        public var reason: String
    }

    /// The text does not name a release.
    case notABase(String)
    /// Nobody has the release, or nobody can be reached.
    case unobtainable(base: String, attempts: [Attempt])
    /// The folder is not the top of a kernel tree.
    case notAKernelTree(FilePath, reason: String)
    /// A file of the user's tree cannot be read.
    case unreadable(tree: FilePath, reason: String)
    /// A download that is whole is not what its publisher published.
    case notVerified(file: String, reason: String)
    /// A source archive cannot be unpacked.
    case corrupt(file: String, reason: String)
    /// A server answered with an error, or could not be reached.
    case notFetched(url: String, reason: String)
    /// Debian's archive does not have the release.
    case notInDebian(package: String, reason: String)

    /// What the command line named is wrong, or the machine cannot get at the source.
    public var exitStatus: ExitStatus {
        switch self {
        case .notABase, .notAKernelTree, .unreadable: .usage
        default: .environment
        }
    }

    /// What happened, to what, and what to do.
    public var description: String {
        switch self {
        case .notABase(let text):
            """
            “\(text)” is not a kernel release. A base is vMAJOR.MINOR for the newest of its stable releases (v7.2, v7.3, \
            v6.12) or vMAJOR.MINOR.SUBLEVEL for that very one (v7.2.13); for a tree of yours use --tree DIR
            """
        case .unobtainable(let base, let attempts):
            "could not get the source of \(base). Tried:\n"
                + attempts.map { "  - \($0.way): \($0.reason)" }.joined(separator: "\n")
                + "\nWith a tree that you have, use --tree DIR."
        case .notAKernelTree(let path, let reason):
            "\(path) is not a kernel source tree: \(reason). Name the folder that holds the kernel's top-level Makefile"
        case .unreadable(let tree, let reason):
            "cannot read all of the tree \(tree): \(reason). Make its files readable"
        case .notVerified(let file, let reason):
            "\(file) is not what its publisher signed: \(reason). It was removed; try again"
        case .corrupt(let file, let reason):
            "\(file) cannot be unpacked: \(reason). It was removed; try again"
        case .notFetched(let url, let reason):
            "could not fetch \(url): \(reason)"
        case .notInDebian(let package, let reason):
            "\(package): \(reason)"
        }
    }
}
