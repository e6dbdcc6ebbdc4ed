// SPDX-License-Identifier: GPL-2.0-only

import Foundation
import SystemPackage

/// A series of kernel patches as `git format-patch` writes them, in a folder, in the order of their names.
public struct PatchSeries: Sendable, Hashable {
    /// The name that `--series` takes: the folder's, or "none".
    public let name: String
    /// The patches in the order in which they apply; the cover letter is not among them.
    public let patches: [FilePath]
    /// The series' cover letter, if it has one.
    public let coverLetter: FilePath?
    /// A digest of what the patches say.
    public let key: ContentKey

    /// The series without patches, which leaves a source as it is.
    public static let none = PatchSeries(name: "none", patches: [], coverLetter: nil, key: ContentKey([:]))

    /// Whether there is nothing to apply.
    public var isEmpty: Bool { patches.isEmpty }

    /// Reads a folder of patches, `NNNN-*.patch`.
    ///
    /// - Throws: `SeriesError.unreadable` or `.empty`.
    public init(directory: FilePath) throws(SeriesError) {
        let names: [String]
        do {
            names = try FileManager.default.contentsOfDirectory(atPath: directory.string)
        } catch {
            throw .unreadable(directory, reason: error.localizedDescription)
        }
        let numbered = names.filter { $0.hasSuffix(".patch") && $0.prefix(4).allSatisfy(\.isNumber) }.sorted()
        let cover = numbered.first { $0.hasPrefix("0000-") }
        let patches = numbered.filter { !$0.hasPrefix("0000-") }.map { directory.appending($0) }
        guard !patches.isEmpty else { throw .empty(directory) }

        var hasher = ContentHasher()
        for patch in patches {
            do {
                try hasher.add("patch", file: patch)
            } catch {
                throw .unreadable(patch, reason: "\(error)")
            }
        }
        self.init(
            name: directory.lastComponent?.string ?? directory.string,
            patches: patches,
            coverLetter: cover.map { directory.appending($0) },
            key: hasher.key
        )
    }

    /// The series that `--series` names: one of those in `folder`, a folder of the user's (a path with a "/"), or "none".
    ///
    /// - Throws: `SeriesError.unknown`, with the names that exist; else what `init(directory:)` throws.
    public static func named(_ name: String, in folder: FilePath) throws(SeriesError) -> PatchSeries {
        if name == "none" { return .none }
        if name.contains("/") {
            // git runs in the tree, where a path that is relative to here names something else.
            let here = FilePath(FileManager.default.currentDirectoryPath)
            return try PatchSeries(directory: here.pushing(FilePath(name)).lexicallyNormalized())
        }
        let known = names(in: folder)
        guard known.contains(name) else { throw .unknown(name: name, known: known) }
        return try PatchSeries(directory: folder.appending(name))
    }

    /// The names of the series in `folder`, sorted.
    public static func names(in folder: FilePath) -> [String] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder.string)) ?? []
        return names.filter { name in
            var isFolder: ObjCBool = false
            let path = folder.appending(name).string
            return !name.hasPrefix(".") && FileManager.default.fileExists(atPath: path, isDirectory: &isFolder)
                && isFolder.boolValue
        }.sorted()
    }

    private init(name: String, patches: [FilePath], coverLetter: FilePath?, key: ContentKey) {
        self.name = name
        self.patches = patches
        self.coverLetter = coverLetter
        self.key = key
    }
}
