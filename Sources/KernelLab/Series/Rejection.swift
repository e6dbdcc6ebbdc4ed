// SPDX-License-Identifier: GPL-2.0-only

import Foundation
import SystemPackage

/// Finds out what of a patch does not apply, in a scratch folder that holds the files that it changes.
struct Rejection {
    private let patch: FilePath
    private let git: Git

    /// Of `patch` and the commit that the repository is at.
    init(of patch: FilePath, git: Git) {
        self.patch = patch
        self.git = git
    }

    /// The error to report; `said` is what `git am` printed.
    func error(version: String, said: [String]) async throws -> SeriesError {
        let summary = try await PatchSeries.summary(of: patch)
        let url = FileManager.default.temporaryDirectory.appendingPathComponent("rwp-reject-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: url, withIntermediateDirectories: false)
        defer { try? FileManager.default.removeItem(at: url) }
        let scratch = FilePath(url.path)

        try await export(summary.changes.map(\.file), to: scratch)
        var apply = try Git(in: scratch)
        apply.ceiling = scratch.removingLastComponent()
        let messages = try await apply.messages(["apply", "--reject", "--verbose", "--", patch.string])
        let rejects = rejects(of: summary, in: scratch, messages: messages)
        let errors = messages.filter { $0.hasPrefix("error: ") }.map { String($0.dropFirst("error: ".count)) }
        return .doesNotApply(
            patch: patch,
            subject: summary.subject,
            tree: version,
            rejects: rejects,
            // A patch that applies here failed in git am for another reason, which only that knows.
            messages: errors.isEmpty ? said.filter { !$0.hasPrefix("hint: ") } : errors
        )
    }

    private func export(_ files: [String], to folder: FilePath) async throws {
        for file in files {
            guard try await git.status(["cat-file", "-e", "HEAD:\(file)"]).isSuccess else { continue }
            let path = folder.appending(FilePath(file).components)
            try FileManager.default.createDirectory(
                atPath: path.removingLastComponent().string,
                withIntermediateDirectories: true
            )
            let script = #"blob=$1 file=$2; shift 2; "$@" cat-file blob "HEAD:$blob" >"$file""#
            _ = try await git.captureShell(script, file, path.string)
        }
    }

    private func rejects(of summary: PatchSummary, in folder: FilePath, messages: [String]) -> [SeriesError.Reject] {
        summary.changes.compactMap { change in
            let path = folder.appending(FilePath(change.file + ".rej").components)
            if let hunks = try? String(contentsOfFile: path.string, encoding: .utf8) {
                // "diff a/FILE b/FILE (rejected hunks)", then the hunks.
                return SeriesError.Reject(file: change.file, hunks: hunks)
            }
            let isNamed = messages.contains { $0.hasPrefix("error: \(change.file): ") }
            return isNamed ? SeriesError.Reject(file: change.file, hunks: "") : nil
        }
    }
}
