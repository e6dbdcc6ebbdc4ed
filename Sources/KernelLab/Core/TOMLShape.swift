// SPDX-License-Identifier: GPL-2.0-only

import TOMLKit

/// The shape of a TOML value.
///
/// TOMLKit's decoder cannot tell a key that is missing from one whose value has the wrong type, and says nothing of keys that
/// it does not know before it is done; so a document is held against its schema first.
indirect enum TOMLShape: Sendable {
    case integer, string
    case integers, strings
    case table([String: TOMLShape])
    case tables([String: TOMLShape])
    case optional(TOMLShape)

    /// What a value of this shape is called, to follow "must be".
    var words: String {
        switch self {
        case .integer: "a whole number"
        case .string: "a string"
        case .integers: "an array of whole numbers"
        case .strings: "an array of strings"
        case .table: "a table"
        case .tables: "an array of tables"
        case .optional(let shape): shape.words
        }
    }

    /// What can be wrong with a value.
    enum Flaw: Error {
        case unknownKey(String, nearest: String?)
        case missingKey(String)
        case wrongType(key: String, expected: String)
    }

    /// Holds the value of the key `path` ("" for the document) against this shape.
    func check(_ value: any TOMLValueConvertible, at path: String) throws(Flaw) {
        switch self {
        case .integer: try require(value.int != nil, path)
        case .string: try require(value.string != nil, path)
        case .integers: try require(value.array?.allSatisfy { $0.int != nil } ?? false, path)
        case .strings: try require(value.array?.allSatisfy { $0.string != nil } ?? false, path)
        case .optional(let shape): try shape.check(value, at: path)
        case .table(let shapes):
            guard let table = value.table else { throw .wrongType(key: path, expected: words) }
            try Self.check(table, against: shapes, at: path)
        case .tables(let shapes):
            guard let array = value.array else { throw .wrongType(key: path, expected: words) }
            for (index, element) in array.enumerated() {
                guard let table = element.table else { throw .wrongType(key: path, expected: words) }
                try Self.check(table, against: shapes, at: "\(path)[\(index)]")
            }
        }
    }

    private func require(_ condition: Bool, _ path: String) throws(Flaw) {
        if !condition { throw .wrongType(key: path, expected: words) }
    }

    /// Unknown keys come before missing ones: a misspelt key is both, and its spelling is what must change.
    private static func check(_ table: TOMLTable, against shapes: [String: TOMLShape], at path: String) throws(Flaw) {
        func join(_ key: String) -> String { path.isEmpty ? key : "\(path).\(key)" }
        for key in table.keys.sorted() where shapes[key] == nil {
            throw .unknownKey(join(key), nearest: NearestName.of(key, among: shapes.keys).map(join))
        }
        for (key, shape) in shapes.sorted(by: { $0.key < $1.key }) {
            if let value = table[key] {
                try shape.check(value, at: join(key))
            } else if case .optional = shape {
                continue
            } else {
                throw .missingKey(join(key))
            }
        }
    }
}
