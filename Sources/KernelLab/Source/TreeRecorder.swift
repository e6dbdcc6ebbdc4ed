// SPDX-License-Identifier: GPL-2.0-only

import Foundation
import SystemPackage

/// Records what a folder holds in a git repository elsewhere.
struct TreeRecorder: Sendable {
    /// The folder that is read.
    let tree: FilePath
    /// The folder of our repository, which remembers what it has seen.
    let repository: FilePath

    private var gitDirectory: FilePath { repository.appending("git") }

    /// Records the folder's content.
    ///
    /// - Returns: The ID of the tree object.
    /// - Throws: `SourceError.unreadable`.
    func record() async throws -> String {
        do {
            return try await Self.naming(tree) { try await recordOnce() }
        } catch let error as ToolError {
            if StorageError.explaining(error, in: repository) is StorageError { throw error }
            // A run that was killed can leave a lock or half an object behind. It can all be made again.
            try Task.checkCancellation()
            try FileManager.default.removeItem(atPath: repository.string)
            return try await Self.naming(tree) { try await recordOnce() }
        }
    }

    /// Fills an empty folder with a repository that has the recorded `tree` checked out.
    func checkOut(_ tree: String, into folder: FilePath) async throws {
        let ours = try git()
        let commit = try await ours.line(["commit-tree", "-m", "Linux, as it stands in \(self.tree)", tree])
        try await ours.run(["update-ref", "refs/heads/main", commit])
        let arguments = ["clone", "--quiet", "--no-checkout", "--template=", "--branch=main", "--no-tags"]
        try await Git(in: repository).run(arguments + ["--", gitDirectory.string, folder.string])
        let git = try Git(in: folder)
        try await git.run(["remote", "remove", "origin"])
        try await SourceRepository.configure(git)
        try await git.run(["-c", "checkout.workers=2", "checkout", "--quiet", "--force", "main"])
    }

    private func recordOnce() async throws -> String {
        try FileManager.default.createDirectory(atPath: repository.string, withIntermediateDirectories: true)
        let git = try git()
        if !FileManager.default.fileExists(atPath: gitDirectory.appending("HEAD").string) {
            try await Git(in: repository).run(["init", "--quiet", "--bare", "--template=", gitDirectory.string])
        }
        try await listFiles()
        // What is no longer listed goes; what is listed comes in, unless its size and times are those of last time.
        try await git.shell(#"out=$1; shift; "$@" ls-files -z --cached >"$out""#, list("known"))
        try await git.shell(
            #"cd "$1" && sort -z known >old && sort -z -u listed >new && comm -z -23 old new >gone"#,
            repository.string
        )
        try await git.shell(#"list=$1; shift; "$@" update-index -z --force-remove --stdin <"$list""#, list("gone"))
        let pack = Git.intoOnePack.joined(separator: " ")
        try await git.shell(
            #"list=$1; shift; "$@" \#(pack) update-index -z --add --remove --stdin <"$list""#,
            list("new")
        )
        return try await git.line(["write-tree"])
    }

    /// Lists the files that make up the tree: those that its own git knows, and those that nothing excludes.
    private func listFiles() async throws {
        let theirs = try Git(in: tree)
        let isRepository = try await isTopOfRepository(theirs)
        let listed = list("listed")
        if isRepository {
            try await theirs.shell(#"out=$1; shift; "$@" ls-files -z --cached >"$out""#, listed)
        } else {
            try Data().write(to: URL(fileURLWithPath: listed))
        }
        var options = BuildProducts.patterns.map { "--exclude=\($0)" } + ["--exclude-per-directory=.gitignore"]
        if isRepository, let exclude = try await privateExcludes(theirs) { options.append("--exclude-from=\(exclude)") }
        // Read as the work tree of an index that knows nothing, so that everything is "other" here.
        let nothing = try Git(in: tree, gitDirectory: gitDirectory, index: repository.appending("no-index"))
        let others = try await nothing.capture(["ls-files", "-z", "--others"] + options)
        let file = try FileDescriptor.open(FilePath(listed), .writeOnly, options: [.append, .closeOnExec])
        try file.closeAfter { _ = try file.writeAll(Array(others.utf8)) }
    }

    private func isTopOfRepository(_ git: Git) async throws -> Bool {
        guard FileManager.default.fileExists(atPath: tree.appending(".git").string) else { return false }
        let prefix = try? await git.line(["rev-parse", "--show-prefix"])
        return prefix == ""
    }

    private func privateExcludes(_ git: Git) async throws -> String? {
        let path = try await git.line(["rev-parse", "--path-format=absolute", "--git-path", "info/exclude"])
        return FileManager.default.fileExists(atPath: path) ? path : nil
    }

    private func git() throws -> Git {
        try Git(in: tree, gitDirectory: gitDirectory)
    }

    /// A list of file names, each ended by a NUL.
    private func list(_ name: String) -> String {
        repository.appending(name).string
    }

    /// Turns what git says of a file that it cannot read into an error about the tree.
    private static func naming<Value>(_ tree: FilePath, _ body: () async throws -> Value) async throws -> Value {
        do {
            return try await body()
        } catch ToolError.failed(_, _, let lines, _) where lines.contains(where: { $0.contains("Permission denied") }) {
            let reason = lines.filter { $0.contains("Permission denied") }.joined(separator: "; ")
            throw SourceError.unreadable(tree: tree, reason: reason)
        }
    }
}
