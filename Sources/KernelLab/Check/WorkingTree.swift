// SPDX-License-Identifier: GPL-2.0-only

import Foundation
import SystemPackage

/// A source tree of the cache that moves from commit to commit of a series, so that each step compiles what changed.
///
/// Objects are kept in folders of the tree: kbuild then calls the source "..", and ccache knows the files that are the
/// same in other trees.
struct WorkingTree: Sendable {
    /// A state of the source that can be moved to.
    struct Commit: Sendable, Hashable {
        /// The commit's ID.
        var id: String
        /// The ID of its tree object: equal trees, equal sources.
        var tree: String
    }

    /// The tree's folder.
    let path: FilePath
    /// The source without patches, and the source after each patch.
    let commits: [Commit]
    private let git: Git
    private let lock: FileLock

    /// Takes the tree for `purpose`, or waits for whoever has it, and fetches the commits of `patched` into it.
    static func take(
        for purpose: String,
        of patched: SourceTree,
        cache: KernelCache,
        events: EventSink
    ) async throws -> WorkingTree {
        let theirs = try Git(in: patched.path)
        let base = try await theirs.line(["rev-list", "--max-parents=0", "HEAD"])
        let name = "\(purpose)-\(patched.version)-\(base.prefix(12))"
        let lock = try await cache.lock(.checks, name: name + ".use", what: "the tree of \(purpose)", events: events)
        do {
            let entry = try await cache.entry(.checks, name: name, what: name, events: events) { folder in
                events.send(.started(.patch, detail: "copying \(patched.version)"))
                try await theirs.run(["clone", "--quiet", "--no-checkout", "--", patched.path.string, folder.string])
                try await SourceRepository.configure(try Git(in: folder))
                try await Git(in: folder).run(["checkout", "--quiet", "--force", "--detach", base])
                events.send(.finished(.patch, detail: "copied"))
            }
            let git = try Git(in: entry.path)
            // A git that was killed left its lock; ours says that nobody is at work here.
            try? FileManager.default.removeItem(atPath: entry.path.pushing(".git/index.lock").string)
            try await git.run(["fetch", "--quiet", "--no-tags", "--", patched.path.string, "HEAD"])
            let log = try await git.capture(["log", "--reverse", "--format=%H %T", "FETCH_HEAD"])
            let commits = log.split(separator: "\n").map { line in
                let words = line.split(separator: " ").map(String.init)
                return Commit(id: words[0], tree: words[1])
            }
            // What an interrupted run left that no commit knows.
            try await git.run(["clean", "-ffdxq", "--exclude=/.objects-*"])
            return WorkingTree(path: entry.path, commits: commits, git: git, lock: lock)
        } catch {
            lock.release()
            throw error
        }
    }

    /// Gives the tree to whoever waits for it. To be called once.
    func release() { lock.release() }

    /// Makes the source that of the commit; only files that differ are written.
    func move(to commit: Commit) async throws {
        try await git.run(["checkout", "--quiet", "--force", "--detach", commit.id])
    }

    /// Changes the source by a diff.
    ///
    /// - Parameter reversed: Whether to take out what the diff puts in.
    /// - Returns: The ID of the tree object that has the change.
    /// - Throws: `SeriesError.doesNotApply`.
    func apply(_ patch: FilePath, reversed: Bool = false) async throws -> String {
        let options = ["apply", "--index"] + (reversed ? ["--reverse"] : [])
        do {
            try await git.run(options + ["--", patch.string])
        } catch ToolError.failed(_, _, let lines, _) {
            throw SeriesError.doesNotApply(
                patch: patch,
                subject: patch.stem ?? "",
                tree: try KernelTree.version(of: path),
                rejects: [],
                messages: lines
            )
        }
        return try await git.line(["write-tree"])
    }

    /// The files that differ between two commits.
    func files(from old: Commit, to new: Commit) async throws -> [String] {
        try await git.capture(["diff", "--name-only", old.id, new.id]).split(separator: "\n").map(String.init)
    }

    /// What changed between two commits, as a diff.
    func diff(from old: Commit, to new: Commit) async throws -> String {
        try await git.capture(["diff", "--no-ext-diff", "--no-textconv", "--no-renames", old.id, new.id])
    }

    /// The folder for objects of this name.
    func objects(_ name: String) -> FilePath { path.appending(".objects-\(name)") }

    /// A digest of all Kconfig files of a commit: equal digests, equal configurations.
    func kconfigDigest(of commit: Commit) async throws -> String {
        let list = try await git.captureShell(
            #"id=$1; shift; "$@" ls-tree -r "$id" | grep '/Kconfig[^/]*$'"#,
            commit.id
        )
        return ContentKey(["kconfig": list]).short
    }
}
