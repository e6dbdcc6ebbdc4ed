// SPDX-License-Identifier: GPL-2.0-only

import Foundation
import Synchronization
import SystemPackage

extension PatchSeries {
    /// Applies the series with `git am` to a copy of `source` in the cache.
    ///
    /// - Returns: The patched tree; `source` itself where the series is empty.
    /// - Throws: `SeriesError.doesNotApply`; then nothing is left of the copy.
    public func apply(to source: SourceTree, cache: KernelCache, events: EventSink) async throws -> SourceTree {
        if isEmpty { return source }
        let inputs = ContentKey(["source": source.identity, "series": key.hex])
        let entry = try await cache.entry(
            .trees,
            name: "\(source.version)-\(inputs.short)",
            what: "\(source.version) with the series \(name)",
            events: events,
            isWhole: { try await SourceRepository(path: $0).isWhole() },
            make: { folder in
                events.send(.started(.patch, detail: "\(name) onto \(source.version)"))
                try await SourceRepository(path: source.path).copy(to: folder)
                try await mail(to: Git(in: folder), version: source.version, events: events)
                events.send(.finished(.patch, detail: "\(patches.count) patches"))
            }
        )
        if !entry.isNew { events.send(.finished(.patch, detail: "\(patches.count) patches, cached")) }
        return try await SourceRepository(path: entry.path).tree()
    }

    /// Applies the series with `git am` to the user's own tree, as commits on its current branch.
    ///
    /// A tree whose last commits are the series is left as it is. One that a patch does not apply to is as it was
    /// afterwards (`git am --abort`).
    ///
    /// - Returns: The tree with its new identity.
    /// - Throws: `SeriesError.notARepository`, `.notClean`, `.busy` or `.doesNotApply`.
    public func applyInPlace(to tree: SourceTree, cache: KernelCache, events: EventSink) async throws -> SourceTree {
        if isEmpty { return tree }
        let git = try Git(in: tree.path)
        try await checkIsRepository(tree.path, git)
        if try await isApplied(git) {
            events.send(.finished(.patch, detail: "\(patches.count) patches, applied before"))
            return tree
        }
        try await checkIsClean(tree.path, git)
        events.send(.started(.patch, detail: "\(name) onto \(tree.path)"))
        do {
            try await mail(to: git, version: tree.version, events: events)
        } catch {
            // In a task of its own: ours may be the one that was cancelled.
            await Task.detached { try? await git.run(["am", "--abort"]) }.value
            throw error
        }
        events.send(.finished(.patch, detail: "\(patches.count) patches"))
        return try await UserTree(tree.path, cache: cache, events: events).itself()
    }

    // MARK: git am

    private func mail(to git: Git, version: String, events: EventSink) async throws {
        let applied = Mutex(0)
        do {
            let arguments = ["am", "--committer-date-is-author-date", "--no-gpg-sign", "--"]
            try await git.run(arguments + patches.map(\.string)) { [total = patches.count] line in
                guard line.hasPrefix("Applying: ") else { return }
                let count = applied.withLock { count in
                    count += 1
                    return count
                }
                events.send(.advanced(.patch, done: count, total: total, unit: "patches"))
            }
        } catch ToolError.failed(let command, let status, let lines, let log) {
            let error = ToolError.failed(command: command, status: status, lastLines: lines, log: log)
            if StorageError.explaining(error, in: git.directory) is StorageError { throw error }
            // The last that git began with is the one that failed; one that is no mail at all it does not begin with.
            let patch = patches[max(applied.withLock { $0 } - 1, 0)]
            throw try await Rejection(of: patch, git: git).error(version: version, said: lines)
        }
    }

    // MARK: The user's tree

    private func checkIsRepository(_ tree: FilePath, _ git: Git) async throws {
        guard let prefix = try? await git.line(["rev-parse", "--show-prefix"]), prefix == "" else {
            throw SeriesError.notARepository(tree: tree)
        }
        let states = [("rebase-apply", "git am or rebase"), ("rebase-merge", "rebase"), ("MERGE_HEAD", "merge")]
        for (file, what) in states {
            let path = try await git.line(["rev-parse", "--path-format=absolute", "--git-path", file])
            if FileManager.default.fileExists(atPath: path) { throw SeriesError.busy(tree: tree, what: what) }
        }
    }

    private func checkIsClean(_ tree: FilePath, _ git: Git) async throws {
        let status = try await git.capture(["status", "--porcelain", "--untracked-files=no"])
        let files = status.split(separator: "\n").map { String($0.dropFirst(3)) }
        guard files.isEmpty else { throw SeriesError.notClean(tree: tree, files: files) }
    }

    /// Whether the last commits are the patches of the series, by what they change.
    private func isApplied(_ git: Git) async throws -> Bool {
        let log = #""$@" log -n \#(patches.count) --reverse --format=email -p --no-ext-diff --no-textconv"#
        let theirs = try await git.captureShell(log + #" | "$@" patch-id --stable"#)
        var ours = ""
        for patch in patches {
            ours += try await git.captureShell(#"p=$1; shift; "$@" patch-id --stable <"$p""#, patch.string)
        }
        return Self.patchIDs(theirs) == Self.patchIDs(ours)
    }

    /// The first words of lines of "PATCH-ID COMMIT".
    private static func patchIDs(_ text: String) -> [Substring] {
        text.split(separator: "\n").compactMap { $0.split(separator: " ").first }
    }
}
