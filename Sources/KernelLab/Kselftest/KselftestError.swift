// SPDX-License-Identifier: GPL-2.0-only

import SystemPackage

/// What can go wrong before a selftest runs.
public enum KselftestError: LabError, Hashable {
    /// The text cannot name a test.
    case notAName(String)
    /// A collection without a test; `known` are its tests.
    case noTest(collection: String, known: [String])
    /// The tree has no such collection.
    case unknownCollection(String, known: [String])
    /// The collection has no such test.
    case unknownTest(KselftestName, known: [String])
    /// The test is a script, and the machine has no shell.
    case script(KselftestName)
    /// The tree has no selftests.
    case noSelftests(tree: FilePath)
    /// An argument for the test that its list cannot hold.
    case badArgument(String)
    /// Libraries that the tests are linked with.
    case missing([KselftestLibrary])
    /// The headers or a test do not build; `errors` are the lines of make that say why.
    case build(what: String, status: ToolStatus, errors: [String], log: FilePath)

    /// The command line is wrong, the machine lacks something, or the build failed.
    public var exitStatus: ExitStatus {
        switch self {
        case .notAName, .noTest, .unknownCollection, .unknownTest, .script, .noSelftests, .badArgument: .usage
        case .missing: .environment
        case .build: .build
        }
    }

    /// What happened, to which test, and what to do.
    public var description: String {
        switch self {
        case .notAName(let text):
            return "'\(text)' is no selftest: name it COLLECTION:TEST, as in mm:uffd-unit-tests"
        case .noTest(let collection, let known):
            let example = known.contains("cow") ? "cow" : known.first ?? "TEST"
            return "'\(collection)' is a collection of tests: name those to run, as in \(collection):\(example)."
                + " It has \(Self.list(known))"
        case .unknownCollection(let name, let known):
            return "the tree has no selftests '\(name)'\(Self.hint(name, known)): there is \(Self.list(known))"
        case .unknownTest(let name, let known):
            return "there is no test '\(name)'\(Self.hint(name.test, known, prefix: name.collection + ":")):"
                + " \(name.collection) has \(Self.list(known))"
        case .script(let name):
            return "\(name) is a script, and the virtual machine has no shell: only compiled tests run there"
        case .noSelftests(let tree):
            return "\(tree) has no tools/testing/selftests: name a whole kernel tree (--selftests-from TREE)"
        case .badArgument(let text):
            return "a test cannot be given the argument '\(text)': it has a tab or an end of line in it"
        case .missing(let libraries):
            return "libraries that the selftests are linked with are missing:\n"
                + libraries.map { "    \($0.name), needed to build \($0.users): apt-get install \($0.package)\n" }
                .joined()
                + "scripts/setup installs all of them."
        case .build(let what, let status, let errors, let log):
            return "\(what) did not build (make \(status)):\n" + errors.map { "    \($0)\n" }.joined()
                + "Everything that make printed is in \(log)."
        }
    }

    private static func list(_ names: [String]) -> String {
        names.isEmpty ? "none that can be compiled" : names.joined(separator: ", ")
    }

    private static func hint(_ name: String, _ known: [String], prefix: String = "") -> String {
        NearestName.of(name, among: known).map { " (did you mean '\(prefix)\($0)'?)" } ?? ""
    }
}
