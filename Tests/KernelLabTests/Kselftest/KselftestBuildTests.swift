// SPDX-License-Identifier: GPL-2.0-only

import Foundation
import SystemPackage
import Testing

@testable import KernelLab

@Suite("Building selftests")
struct KselftestBuildTests {
    /// A tree and a cache in a temporary folder.
    private struct Place {
        var tree: FilePath
        var events = Received()
        var build: KselftestBuild

        init(in folder: FilePath) throws {
            tree = folder.appending("tree")
            try FakeSelftests.write(to: tree)
            build = KselftestBuild(
                source: SourceTree(path: tree, version: "7.2.13", identity: "one"),
                architecture: X8664(),
                cache: KernelCache(root: folder.appending("cache")),
                events: events.sink
            )
        }

        func tests(_ names: String...) async throws -> [BuiltKselftest] {
            try await build.build(try names.map { try KselftestName(parsing: $0) })
        }

        /// What the last build came to.
        var outcome: String? {
            events.all.reversed().lazy.compactMap { event -> String? in
                if case .finished(.selftests, let detail) = event { detail } else { nil }
            }.first
        }
    }

    @Test("Tests are linked statically, and the tree is left as it was")
    func build() async throws {
        try await withTemporaryFolder { folder in
            let place = try Place(in: folder)
            let before = try await fingerprint(place.tree)
            let built = try await place.tests("demo:words", "demo:pass")
            #expect(try await fingerprint(place.tree) == before)
            #expect(built.map(\.name.test) == ["words", "pass"] && built.map(\.seconds) == [2, 2])
            #expect(try await Tool(path: built[0].program).capture(["x"]) == "ok 1 x\n")
            // No program interpreter: nothing links it when it starts (elf(5)).
            let headers = try await Tool.find("readelf").capture(["--program-headers", built[0].program.string])
            #expect(headers.contains("LOAD") && !headers.contains("INTERP"))
            #expect(place.outcome == "2 tests, 2 built")
        }
    }

    @Test("What is built is not built again, unless the tree is another")
    func cached() async throws {
        try await withTemporaryFolder { folder in
            var place = try Place(in: folder)
            let first = try await place.tests("demo:pass")
            let second = try await place.tests("demo:pass", "demo:skip")
            #expect(second.first == first.first && place.outcome == "2 tests, 1 built")
            _ = try await place.tests("demo:skip")
            #expect(place.outcome == "1 test, cached")
            place.build.source.identity = "two"
            #expect(try await place.tests("demo:pass").first?.program != first.first?.program)
        }
    }

    @Test("A test that does not compile is told with the compiler's line, and the log has the rest")
    func broken() async throws {
        try await withTemporaryFolder { folder in
            let place = try Place(in: folder)
            try place.tree.pushing("tools/testing/selftests/demo/pass.c").write("int main(void) { return x; }\n")
            let error = await #expect(throws: KselftestError.self) { try await place.tests("demo:pass") }
            guard case .build(let what, _, let errors, let log) = error else {
                Issue.record("\(String(describing: error))")
                return
            }
            #expect(what == "the selftest demo:pass" && errors.contains { $0.contains("undeclared") })
            #expect(try log.text().contains("undeclared") && error?.exitStatus == .build)
        }
    }

    @Test("A library that is not there is named with its package, before anything is built")
    func missing() async throws {
        try await withTemporaryFolder { folder in
            var place = try Place(in: folder)
            let source = place.tree.pushing("tools/testing/selftests/demo/pass.c")
            try source.write("#include <numa.h>\n" + source.text())
            let bin = folder.appending("bin")
            // A compiler that knows no libnuma, whatever this machine has.
            try bin.appending("gcc").write("#!/bin/sh\ncase $* in *numa.h*) exit 1;; esac\nexec /usr/bin/gcc \"$@\"\n")
            try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: bin.appending("gcc").string)
            place.build.searchPath = bin.string + ":/usr/bin:/bin"
            let error = await #expect(throws: KselftestError.self) { try await place.tests("demo:pass") }
            #expect(error?.exitStatus == .environment)
            #expect(error?.description.contains("libnuma, needed to build mm:migration") == true)
            #expect(error?.description.contains("apt-get install libnuma-dev") == true && place.outcome == nil)
        }
    }
}
