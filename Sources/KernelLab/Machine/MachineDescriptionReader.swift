// SPDX-License-Identifier: GPL-2.0-only

import Foundation
import SystemPackage
import TOMLKit

/// Reads and checks one description, in an order that gives the most useful of several possible errors.
struct MachineDescriptionReader {
    let path: FilePath

    func read() throws(MachineDescriptionError) -> MachineDescription {
        let text: String
        do {
            text = try String(contentsOfFile: path.string, encoding: .utf8)
        } catch {
            throw .unreadable(file: path, reason: (error as NSError).localizedDescription)
        }
        return try MachineDocument(file: path, text: text).decode()
    }
}

/// The text of a description, with what errors need to point into it.
private struct MachineDocument {
    let file: FilePath
    let text: String
    let locator: TOMLKeyLocator

    init(file: FilePath, text: String) {
        self.file = file
        self.text = text
        locator = TOMLKeyLocator(text)
    }

    func decode() throws(MachineDescriptionError) -> MachineDescription {
        let table: TOMLTable
        do {
            table = try TOMLTable(string: text)
        } catch let error as TOMLParseError {
            throw .syntax(file: file, line: error.source.begin.line, reason: error.description)
        } catch {
            throw .syntax(file: file, line: 1, reason: "\(error)")
        }
        do {
            try TOMLShape.machine.check(table, at: "")
        } catch {
            throw located(error)
        }
        let machine: MachineDescription
        do {
            machine = try TOMLDecoder().decode(MachineDescription.self, from: table)
        } catch {
            throw .syntax(file: file, line: 1, reason: "\(error)")
        }
        for (key, reason) in MachineCheck.complaints(about: machine) {
            throw .badValue(file: file, line: locator.line(of: key), key: key, reason: reason)
        }
        return machine
    }

    private func located(_ flaw: TOMLShape.Flaw) -> MachineDescriptionError {
        switch flaw {
        case .unknownKey(let key, let nearest):
            .unknownKey(file: file, line: locator.line(of: key), key: key, nearest: nearest)
        case .missingKey(let key):
            .missingKey(file: file, line: locator.line(of: key), key: key)
        case .wrongType(let key, let expected):
            .wrongType(file: file, line: locator.line(of: key), key: key, expected: expected)
        }
    }
}
