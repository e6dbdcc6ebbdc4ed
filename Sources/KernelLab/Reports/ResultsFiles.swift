// SPDX-License-Identifier: GPL-2.0-only

import Foundation
import SystemPackage

extension Results {
    /// The files of a folder of results.
    private enum File {
        static let console = "console.log"
        static let ktap = "ktap.txt"
        static let junit = "junit.xml"
        static let page = "index.html"
        static let json = "results.json"
    }

    /// Writes the folder: `ktap.txt` as it came, with a directive where a failure was expected, `console.log`, `junit.xml`, `index.html`, and `results.json` last, so that
    /// a folder with one is whole. Then points `latest` beside it to it.
    ///
    /// The machine may have run in the folder; then its streams are there already.
    ///
    /// - Throws: `ResultsError.unwritable`, on a full disk too; `.unreadable` where the machine's streams are gone.
    public func write(to folder: FilePath) throws(ResultsError) {
        do {
            try FileManager.default.createDirectory(atPath: folder.string, withIntermediateDirectories: true)
        } catch {
            throw .unwritable(file: folder, error: error.errno)
        }
        if let streams {
            try Self.copy(streams.console, to: folder.appending(File.console))
            try copyKTAP(streams.ktap, to: folder.appending(File.ktap))
        }
        try ResultsFolder.write(JUnitReport(self).data(), to: folder.appending(File.junit))
        try ResultsFolder.write(HTMLReport(self).data(), to: folder.appending(File.page))
        try ResultsFolder.write(json(), to: folder.appending(File.json))
        try ResultsFolder.setLatest(folder)
    }

    /// Reads the results back from a folder that `write(to:)` made.
    ///
    /// - Throws: `ResultsError` with the file's name where it is missing, corrupt, or of another version.
    public init(directory: FilePath) throws(ResultsError) {
        let file = directory.appending(File.json)
        let data: Data
        do {
            data = try Data(contentsOf: URL(fileURLWithPath: file.string))
        } catch {
            throw .unreadable(file: file, error: error.errno)
        }
        let decoder = JSONDecoder()
        decoder.dateDecodingStrategy = .iso8601
        do {
            // First, since another version's file need not have any other key that we know.
            let schema = try decoder.decode(Schema.self, from: data).schema
            guard schema == Self.schemaVersion else { throw ResultsError.wrongSchema(file: file, found: schema) }
            self = try decoder.decode(Results.self, from: data)
        } catch let error as ResultsError {
            throw error
        } catch {
            throw .corrupt(file: file, reason: Self.reason(error))
        }
    }

    private struct Schema: Decodable {
        var schema: Int
    }

    private func json() -> Data {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        encoder.dateEncodingStrategy = .iso8601
        // Strings, whole numbers and dates only: nothing that JSON could refuse.
        return (try? encoder.encode(self)) ?? Data()
    }

    private static func reason(_ error: any Error) -> String {
        func path(_ context: DecodingError.Context) -> String {
            context.codingPath.map { $0.intValue.map { "[\($0)]" } ?? $0.stringValue }.joined(separator: ".")
        }
        switch error as? DecodingError {
        case .keyNotFound(let key, let context): return "it has no “\(key.stringValue)” in “\(path(context))”"
        case .typeMismatch(_, let context), .valueNotFound(_, let context):
            return "“\(path(context))” has a value of the wrong type"
        case .dataCorrupted(let context) where !context.codingPath.isEmpty:
            return "“\(path(context))” has a value that cannot be"
        default: return "it is not JSON"
        }
    }

    private func copyKTAP(_ source: FilePath, to target: FilePath) throws(ResultsError) {
        guard suite.scenarios.contains(where: { $0.difference != nil }) else {
            return try Self.copy(source, to: target)
        }
        let text: String
        do {
            text = String(decoding: try Data(contentsOf: URL(fileURLWithPath: source.string)), as: UTF8.self)
        } catch {
            throw .unreadable(file: source, error: error.errno)
        }
        try ResultsFolder.write(Data(suite.annotating(text).utf8), to: target)
    }

    private static func copy(_ source: FilePath, to target: FilePath) throws(ResultsError) {
        if source.lexicallyNormalized() == target.lexicallyNormalized() { return }
        let data: Data
        do {
            data = try Data(contentsOf: URL(fileURLWithPath: source.string), options: .mappedIfSafe)
        } catch {
            throw .unreadable(file: source, error: error.errno)
        }
        try ResultsFolder.write(data, to: target)
    }
}
