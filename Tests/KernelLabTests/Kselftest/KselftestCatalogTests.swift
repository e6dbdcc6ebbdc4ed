// SPDX-License-Identifier: GPL-2.0-only

import SystemPackage
import Testing

@testable import KernelLab

@Suite("Names of selftests")
struct KselftestCatalogTests {
    @Test(
        "A name is a collection and a test",
        arguments: [("mm:cow", "mm", "cow"), ("drivers/net:a.b", "drivers/net", "a.b"), ("mm", "mm", "")]
    )
    func names(text: String, collection: String, test: String) throws {
        let name = try KselftestName(parsing: text)
        #expect(name.collection == collection && name.test == test)
    }

    @Test(
        "What cannot be a name",
        arguments: ["", ":cow", "mm:", "mm:a/b", "../mm:cow", "/mm:cow", "mm:-x", "mm:a b", "m//n:a"]
    )
    func notNames(text: String) {
        #expect(throws: KselftestError.notAName(text)) { try KselftestName(parsing: text) }
    }

    @Test("The compiled tests are those of the Makefile that have a source")
    func tests() async throws {
        try await withTemporaryFolder { folder in
            try FakeSelftests.write(to: folder)
            let catalog = try KselftestCatalog(tree: folder)
            #expect(catalog.collections == ["demo"])
            #expect(catalog.tests(of: "demo") == ["crash", "fail", "hang", "pass", "skip", "words"])
            #expect(catalog.seconds(for: "demo") == 2)
            try catalog.check(KselftestName(parsing: "demo:words"))
        }
    }

    @Test(
        "What a tree has not is named with what it has",
        arguments: [
            ("demo", "name those to run, as in demo:crash. It has crash, fail"),
            ("demo:psas", "did you mean 'demo:pass'?"), ("demi:pass", "did you mean 'demo'?"),
            ("demo:script.sh", "the virtual machine has no shell"), ("demo:gone", "there is no test 'demo:gone'"),
        ]
    )
    func unknown(text: String, message: String) async throws {
        try await withTemporaryFolder { folder in
            try FakeSelftests.write(to: folder)
            let catalog = try KselftestCatalog(tree: folder)
            let error = #expect(throws: KselftestError.self) { try catalog.check(KselftestName(parsing: text)) }
            #expect(error?.description.contains(message) == true && error?.exitStatus == .usage)
        }
    }

    @Test("A collection without a limit, and one without settings")
    func limits() async throws {
        try await withTemporaryFolder { folder in
            try FakeSelftests.write(to: folder)
            let settings = folder.pushing("tools/testing/selftests/demo/settings")
            let catalog = try KselftestCatalog(tree: folder)
            try settings.write("timeout=0\n")
            #expect(catalog.seconds(for: "demo") == KselftestCatalog.longestSeconds)
            try settings.write("nothing\n")
            #expect(catalog.seconds(for: "demo") == 45)
        }
    }

    @Test("A folder without selftests")
    func noSelftests() async throws {
        try await withTemporaryFolder { folder in
            let error = #expect(throws: KselftestError.self) { try KselftestCatalog(tree: folder) }
            #expect(error == .noSelftests(tree: folder))
        }
    }
}
