// SPDX-License-Identifier: GPL-2.0-only

import Foundation
import SystemPackage

/// What a patch says of itself, for `rwp series`.
public struct PatchSummary: Sendable, Hashable, Codable {
    /// What a patch does to one file.
    public struct Change: Sendable, Hashable, Codable {
        /// The file, relative to the tree; of a renamed one, the new name.
        public var file: String
        /// Lines added; nil for a binary file.
        public var added: Int?
        /// Lines removed; nil for a binary file.
        public var removed: Int?
    }

    /// The patch's file name.
    public var name: String
    /// The subject, without "[PATCH 1/2]".
    public var subject: String
    /// The files that it changes, in the order of the patch.
    public var changes: [Change]
}

extension PatchSeries {
    /// What each patch says of itself, read by git.
    ///
    /// - Throws: `SeriesError.notAPatch`.
    public func summaries() async throws -> [PatchSummary] {
        var summaries: [PatchSummary] = []
        for patch in patches { summaries.append(try await Self.summary(of: patch)) }
        return summaries
    }

    static func summary(of patch: FilePath) async throws -> PatchSummary {
        // Within a repository git apply takes a patch to be about the current folder; about "/" it knows nothing.
        let git = try Git(in: "/")
        let statistics: String
        do {
            statistics = try await git.capture(["apply", "--numstat", "--", patch.string])
        } catch ToolError.failed(_, _, let lines, _) {
            throw SeriesError.notAPatch(patch, reason: lines.joined(separator: "; "))
        }
        return PatchSummary(
            name: patch.lastComponent?.string ?? patch.string,
            subject: try await git.subject(of: patch),
            changes: changes(in: statistics)
        )
    }

    /// Reads lines of "ADDED\tREMOVED\tFILE", with "-" for the numbers of a binary file.
    static func changes(in numstat: String) -> [PatchSummary.Change] {
        numstat.split(separator: "\n").compactMap { line in
            let fields = line.split(separator: "\t", maxSplits: 2).map(String.init)
            guard fields.count == 3 else { return nil }
            return PatchSummary.Change(file: fields[2], added: Int(fields[0]), removed: Int(fields[1]))
        }
    }
}

extension Git {
    /// The subject of a patch mail, decoded and without its "[PATCH]".
    func subject(of patch: FilePath) async throws -> String {
        let headers = try await captureShell(
            #"patch=$1; shift; "$@" mailinfo /dev/null /dev/null <"$patch""#,
            patch.string
        )
        let subject = headers.split(separator: "\n").first { $0.hasPrefix("Subject: ") }
        return subject.map { String($0.dropFirst("Subject: ".count)) } ?? ""
    }
}
