// SPDX-License-Identifier: GPL-2.0-only

import Foundation
import SystemPackage

/// A tree of the cache: a git repository, checked out, that nobody but us writes to.
struct SourceRepository: Sendable {
    /// The repository's folder.
    let path: FilePath

    /// Makes a repository of a folder full of files: one commit that holds them all.
    static func make(of path: FilePath, message: String) async throws {
        let git = try Git(in: path)
        try await git.run(["init", "--quiet", "--template=", "--initial-branch=main"])
        try await configure(git)
        // -f: what the tree's own ignore rules say is for the tree's developers (Debian's ignore everything).
        try await git.run(Git.intoOnePack + ["add", "--all", "--force", "."])
        try await git.run(["commit", "--quiet", "--no-verify", "-m", message])
    }

    /// Lets a copy of the folder count as unchanged: by size and time of modification alone, not by inode.
    static func configure(_ git: Git) async throws {
        try await git.run(["config", "core.checkStat", "minimal"])
        try await git.run(["config", "core.trustctime", "false"])
    }

    /// Whether the commit is there and every file is as committed, by size and time of modification.
    func isWhole() async throws -> Bool {
        guard FileManager.default.fileExists(atPath: path.appending(".git").string) else { return false }
        return try await Git(in: path).status(["diff-index", "--quiet", "HEAD", "--"]).isSuccess
    }

    /// The tree as a value; its identity is the ID of git's tree object, which is made of the content alone.
    func tree() async throws -> SourceTree {
        SourceTree(
            path: path,
            version: try KernelTree.version(of: path),
            identity: try await Git(in: path).line(["rev-parse", "--verify", "HEAD^{tree}"])
        )
    }

    /// Copies the whole repository into an existing empty folder, by reference where the file system can.
    func copy(to folder: FilePath) async throws {
        try await Tool.find("cp").run(["-a", "--reflink=auto", "--", path.string + "/.", folder.string])
    }
}
