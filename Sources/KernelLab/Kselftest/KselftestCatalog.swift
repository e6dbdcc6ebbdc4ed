// SPDX-License-Identifier: GPL-2.0-only

import Foundation
import SystemPackage

/// The selftests of a kernel tree (`Documentation/dev-tools/kselftest.rst`).
public struct KselftestCatalog: Sendable {
    private let folder: FilePath

    /// How long a test may run where its collection does not say, in seconds (`kselftest/runner.sh`).
    static let defaultSeconds = 45
    /// How long one may run whose collection sets no limit (`timeout=0`): a watchdog without a limit watches nothing.
    static let longestSeconds = 3600

    /// Opens the catalog of a tree.
    ///
    /// - Throws: `KselftestError.noSelftests`.
    public init(tree: FilePath) throws(KselftestError) {
        folder = tree.pushing("tools/testing/selftests")
        guard FileManager.default.fileExists(atPath: folder.appending("lib.mk").string) else {
            throw .noSelftests(tree: tree)
        }
    }

    /// The collections at the top: the folders with a Makefile.
    public var collections: [String] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder.string)) ?? []
        return names.filter { isCollection($0) }.sorted()
    }

    /// The tests of a collection that are compiled from a C file of their name.
    ///
    /// They are read from the assignments in its Makefile, not asked of make: make would have to be run first, and names
    /// that it computes belong to variants (`_32`, `_64`) that the tests' own rules make.
    public func tests(of collection: String) -> [String] {
        let here = folder.pushing(FilePath(collection))
        guard let text = try? String(contentsOfFile: here.appending("Makefile").string, encoding: .utf8) else {
            return []
        }
        var names: Set<String> = []
        for line in text.replacing("\\\n", with: " ").split(separator: "\n") {
            guard let match = line.firstMatch(of: Self.assignment) else { continue }
            names.formUnion(match.1.prefix { $0 != "#" }.split { $0 == " " || $0 == "\t" }.map(String.init))
        }
        return names.filter { name in
            !name.contains("/") && FileManager.default.fileExists(atPath: here.appending("\(name).c").string)
        }.sorted()
    }

    private static var assignment: Regex<(Substring, Substring)> {
        #/^\s*TEST_GEN_(?:PROGS|FILES|PROGS_EXTENDED)\s*[:+?]?=(.*)$/#
    }

    /// Checks that the tree has the test and that it can run in a virtual machine.
    ///
    /// - Throws: `KselftestError`, which names the nearest test, or all.
    public func check(_ name: KselftestName) throws(KselftestError) {
        guard isCollection(name.collection) else {
            throw .unknownCollection(name.collection, known: collections)
        }
        let known = tests(of: name.collection)
        if name.test.isEmpty { throw .noTest(collection: name.collection, known: known) }
        if known.contains(name.test) { return }
        let script = folder.pushing(FilePath(name.collection)).appending(name.test)
        if name.test.hasSuffix(".sh"), FileManager.default.fileExists(atPath: script.string) { throw .script(name) }
        throw .unknownTest(name, known: known)
    }

    /// How long a test of the collection may run, in seconds: `timeout=` in its `settings`.
    public func seconds(for collection: String) -> Int {
        let path = folder.pushing(FilePath(collection)).appending("settings")
        let text = (try? String(contentsOfFile: path.string, encoding: .utf8)) ?? ""
        let value = text.split(separator: "\n").last { $0.hasPrefix("timeout=") }?.dropFirst("timeout=".count)
        guard let value, let seconds = Int(value.trimmingCharacters(in: .whitespaces)) else {
            return Self.defaultSeconds
        }
        return (1...Self.longestSeconds).contains(seconds) ? seconds : Self.longestSeconds
    }

    /// The C source of a test.
    func source(of name: KselftestName) throws -> String {
        let path = folder.pushing(FilePath(name.collection)).appending("\(name.test).c")
        return try String(contentsOfFile: path.string, encoding: .utf8)
    }

    private func isCollection(_ name: String) -> Bool {
        FileManager.default.fileExists(atPath: folder.pushing(FilePath(name)).appending("Makefile").string)
    }
}
