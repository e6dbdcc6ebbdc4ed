// SPDX-License-Identifier: GPL-2.0-only

import Foundation
import SystemPackage

/// What came of compiling one source as one variant.
struct BuildRecord: Sendable, Codable {
    /// Every warning of what was compiled, were it now or before.
    var warnings: [CompilerWarning]
    /// The first lines that say why make failed; nil where it did not.
    var errors: [String]?
    /// Seconds that it took.
    var seconds: Int
}

/// The records of what was compiled before, each under a key of all that it depends on.
///
/// A build that failed is not among them: its reason may be gone, and it goes on from its objects.
struct BuildRecords: Sendable {
    private let folder: FilePath

    init(cache: KernelCache) throws {
        folder = try cache.folder(.checks).appending("records")
        try FileManager.default.createDirectory(atPath: folder.string, withIntermediateDirectories: true)
    }

    /// The record; nil where there is none.
    func record(_ key: ContentKey) -> BuildRecord? {
        let data = FileManager.default.contents(atPath: path(key, "json").string)
        return data.flatMap { try? JSONDecoder().decode(BuildRecord.self, from: $0) }
    }

    /// Keeps a record.
    func save(_ record: BuildRecord, _ key: ContentKey) throws {
        guard record.errors == nil else { return }
        let url = URL(fileURLWithPath: path(key, "json").string)
        try JSONEncoder().encode(record).write(to: url, options: .atomic)
    }

    /// Where the build of a key writes what it prints.
    func log(_ key: ContentKey) -> FilePath { path(key, "log") }

    private func path(_ key: ContentKey, _ suffix: String) -> FilePath {
        folder.appending("\(key.short).\(suffix)")
    }
}
