// SPDX-License-Identifier: GPL-2.0-only

import Testing

@testable import KernelLab

@Suite struct DebianArchiveTests {
    @Test func onlyDebiansOwnRepositoriesCount() {
        let known = DebianArchive.repositories(
            inTargets: """
                Debian|Debian|main|bookworm|http://mirror.example/debian/
                Debian|Debian|contrib|bookworm|http://mirror.example/debian/
                Debian|Debian-Security|main|bookworm-security|http://mirror.example/security/
                Debian Backports|Debian Backports|main|trixie-backports|http://mirror.example/debian/
                . nodistro|. nodistro|main|nodistro|https://deb.nodesource.example/node/
                Docker|Docker CE|stable|bookworm|https://download.docker.example/
                ||main|stable|https://unknown.example/

                """
        )
        #expect(known.map(\.0.suite) == ["bookworm", "bookworm-security", "trixie-backports"])
        let all = DebianArchive.repositories(known: known)
        #expect(all.filter { $0.uri.contains("security") }.map(\.suite) == ["bookworm-security"])
        let suites = all.filter { $0.uri == "http://mirror.example/debian/" }.map(\.suite)
        #expect(Set(suites).isSuperset(of: ["bookworm", "trixie-backports", "forky", "sid"]))
        #expect(Set(suites).count == suites.count)
    }

    @Test func candidatesAreReadFromStanzas() {
        let candidates = DebianArchive.candidates(
            inStanzas: """
                Package: linux-source-7.2
                Version: 7.2.13-1
                Description: source
                 Version: not this
                SHA256: aa

                Package: linux-source-7.2
                Version: 7.2.9-1~bpo13+1
                SHA256: bb

                Package: linux-source-7.2
                Version: 7.2.1-1
                Status: install ok installed

                """
        )
        #expect(
            candidates == [.init(version: "7.2.13-1", sha256: "aa"), .init(version: "7.2.9-1~bpo13+1", sha256: "bb")]
        )
        #expect(candidates.map(\.upstream) == [[7, 2, 13], [7, 2, 9]])
    }

    @Test func newestMatchingComesFirst() throws {
        let versions = ["7.2.9-1", "7.2.13-1~bpo13+1", "7.2.10-1", "7.3.4-1", "7.20.1-1", "7.2.13-1"]
        let candidates = versions.map { DebianArchive.Candidate(version: $0, sha256: "") }
        func chosen(_ base: String) throws -> [String] {
            DebianArchive.matching(try Base(base), candidates).map(\.version)
        }
        #expect(try chosen("v7.2") == ["7.2.13-1~bpo13+1", "7.2.13-1", "7.2.10-1", "7.2.9-1"])
        #expect(try chosen("v7.2.10") == ["7.2.10-1"])
        #expect(try chosen("v7.2.1") == [])
        #expect(try chosen("v7.3") == ["7.3.4-1"])
    }
}
