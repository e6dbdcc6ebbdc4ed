// SPDX-License-Identifier: GPL-2.0-only

import SystemPackage

/// A compressed tar archive of a kernel tree.
struct Archive: Sendable {
    let path: FilePath

    /// Unpacks into an existing empty folder, leaving out the archive's one top-level folder.
    ///
    /// - Throws: `SourceError.corrupt` where the archive is damaged.
    func unpack(into folder: FilePath, events: EventSink) async throws {
        let total = await uncompressedSize().map { $0 >> 20 }
        let arguments = [
            "--extract", "--file", path.string, "--directory", folder.string, "--strip-components=1",
            "--no-same-owner", "--no-same-permissions", "--checkpoint=\(Self.checkpoint)",
            "--checkpoint-action=echo=%u",
        ]
        do {
            try await Tool.find("tar").run(arguments) { line in
                // "tar: 1000": so many records of 10 KiB.
                guard let records = line.split(separator: " ").last.flatMap({ Int($0) }) else { return }
                events.send(.advanced(.unpack, done: records * 10 >> 10, total: total, unit: "MB"))
            }
        } catch let error as ToolError {
            if StorageError.explaining(error, in: folder) is StorageError { throw error }
            guard case .failed(_, _, let lines, _) = error else { throw error }
            let reason = lines.filter { !$0.contains("Exiting with failure") && Int($0.dropFirst(5)) == nil }
            throw SourceError.corrupt(file: path.string, reason: reason.suffix(3).joined(separator: "; "))
        }
    }

    /// Records between two reports: 20 MB.
    private static let checkpoint = 2000

    /// What the archive's end says; nil where xz does not understand it.
    private func uncompressedSize() async -> Int? {
        guard let output = try? await Tool.find("xz").capture(["--robot", "--list", path.string]) else { return nil }
        let totals = output.split(separator: "\n").first { $0.hasPrefix("totals\t") }?.split(separator: "\t")
        guard let totals, totals.count > 4 else { return nil }
        return Int(totals[4])
    }
}
