// SPDX-License-Identifier: GPL-2.0-only

import Foundation
import SystemPackage
import TOMLKit

/// A TOML file of the project's or of the user's, read in an order that gives the most useful of several possible errors.
struct TOMLDocument {
    private let file: FilePath
    private let text: String
    private let locator: TOMLKeyLocator
    /// The document of ours that explains the keys.
    private let guide: String

    /// Reads the file.
    ///
    /// - Throws: `DescriptionError.unreadable`.
    init(path: FilePath, guide: String = "qemu-images/README.md") throws(DescriptionError) {
        self.guide = guide
        do {
            text = try String(contentsOfFile: path.string, encoding: .utf8)
        } catch {
            throw .unreadable(file: path, reason: (error as NSError).localizedDescription)
        }
        file = path
        locator = TOMLKeyLocator(text)
    }

    /// Holds the document against its shape and makes a value of it.
    func decode<Value: Decodable>(_ type: Value.Type, shape: TOMLShape) throws(DescriptionError) -> Value {
        let table: TOMLTable
        do {
            table = try TOMLTable(string: text)
        } catch let error as TOMLParseError {
            throw .syntax(file: file, line: error.source.begin.line, reason: error.description)
        } catch {
            throw .syntax(file: file, line: 1, reason: "\(error)")
        }
        do {
            try shape.check(table, at: "")
        } catch {
            throw located(error)
        }
        do {
            return try TOMLDecoder().decode(type, from: table)
        } catch {
            throw .syntax(file: file, line: 1, reason: "\(error)")
        }
    }

    /// The error for a value that is of the right type and cannot be; `reason` follows the key's name.
    func badValue(_ key: String, _ reason: String) -> DescriptionError {
        .badValue(file: file, line: locator.line(of: key), key: key, reason: reason)
    }

    private func located(_ flaw: TOMLShape.Flaw) -> DescriptionError {
        switch flaw {
        case .unknownKey(let key, let nearest):
            .unknownKey(file: file, line: locator.line(of: key), key: key, nearest: nearest, guide: guide)
        case .missingKey(let key):
            .missingKey(file: file, line: locator.line(of: key), key: key, guide: guide)
        case .wrongType(let key, let expected):
            .wrongType(file: file, line: locator.line(of: key), key: key, expected: expected)
        }
    }
}
