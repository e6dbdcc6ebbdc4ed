// SPDX-License-Identifier: GPL-2.0-only

import Foundation
import SystemPackage

/// Runs `body` with an empty folder that is removed afterwards.
func withTemporaryFolder<Value>(_ body: (FilePath) async throws -> Value) async throws -> Value {
    let url = FileManager.default.temporaryDirectory.appendingPathComponent("rwp-test-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: url) }
    return try await body(FilePath(url.path))
}

extension FilePath {
    /// The file's content as text.
    func text() throws -> String {
        try String(contentsOfFile: string, encoding: .utf8)
    }

    /// Writes a text file, and the folders that lead to it.
    func write(_ text: String) throws {
        try FileManager.default.createDirectory(
            atPath: removingLastComponent().string,
            withIntermediateDirectories: true
        )
        try Data(text.utf8).write(to: URL(fileURLWithPath: string))
    }

    /// Whether something is there; a symbolic link counts by itself.
    var exists: Bool {
        (try? FileManager.default.attributesOfItem(atPath: string)) != nil
    }

    /// The names in a folder, sorted.
    func names() throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: string).sorted()
    }
}

/// Removes a file or a folder with all that is in it.
func removeAll(_ path: FilePath) throws {
    try FileManager.default.removeItem(atPath: path.string)
}
