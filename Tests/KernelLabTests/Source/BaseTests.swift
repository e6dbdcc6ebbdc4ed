// SPDX-License-Identifier: GPL-2.0-only

import Foundation
import SystemPackage
import Testing

@testable import KernelLab

@Suite struct BaseTests {
    @Test(arguments: [
        ("v7.2", "v7.2"), ("7.2", "v7.2"), ("v6.12", "v6.12"), ("v7.2.13", "v7.2.13"), ("v7.10.0", "v7.10.0"),
    ])
    func readsReleases(text: String, description: String) throws {
        #expect(try Base(text).description == description)
    }

    @Test(arguments: [
        "", "v", "v7", "7.", "v7.x", "v7.2.", "v7.2.1.1", "v2.6", "v07.2", "v7.2-rc1", "master", "v٧.2", "v7.99999",
    ])
    func refusesAnythingElse(text: String) {
        let error = #expect(throws: SourceError.notABase(text)) { try Base(text) }
        #expect(error?.exitStatus == .usage)
        #expect(error?.description.contains("v7.2.13") == true)
    }
}

@Suite struct KernelTreeTests {
    @Test func readsTheVersionOfTheMakefile() async throws {
        try await withTemporaryFolder { folder in
            try FakeTree.write(to: folder, version: "7.3.0")
            #expect(try KernelTree.version(of: folder) == "7.3.0")
            let makefile = folder.appending("Makefile")
            try makefile.write(
                try makefile.text().replacingOccurrences(of: "EXTRAVERSION =", with: "EXTRAVERSION = -rc4")
            )
            #expect(try KernelTree.version(of: folder) == "7.3.0-rc4")
        }
    }

    @Test func refusesWhatIsNoKernelTree() async throws {
        try await withTemporaryFolder { folder in
            let missing = folder.appending("missing")
            #expect(throws: SourceError.notAKernelTree(missing, reason: "it does not exist")) {
                try KernelTree.version(of: missing)
            }
            #expect(throws: SourceError.notAKernelTree(folder, reason: "it has no Makefile")) {
                try KernelTree.version(of: folder)
            }
            try folder.appending("Makefile").write("VERSION = 1\nall:\n")
            let error = #expect(throws: SourceError.self) { try KernelTree.version(of: folder) }
            #expect(error?.exitStatus == .usage)
            #expect(error?.description.contains("states no VERSION") == true)
            try FakeTree.write(to: folder)
            try #require(try folder.names().contains("mm"))
            try removeAll(folder.appending("mm"))
            #expect(throws: SourceError.notAKernelTree(folder, reason: "it has no mm")) {
                try KernelTree.version(of: folder)
            }
        }
    }
}
