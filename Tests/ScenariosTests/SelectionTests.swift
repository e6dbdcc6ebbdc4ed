// SPDX-License-Identifier: GPL-2.0-only

import Scenarios
import Testing
import Userfaultfd

@Suite struct SelectionTests {
    private let catalog = [
        Scenario("api-handshake", "s") { (_) throws(Failure) in },
        Scenario("wp-fork", "s", on: [.anon, .hugetlb]) { (_) throws(Failure) in },
        Scenario("wp-fork-pinned", "s", on: [.anon, .hugetlbPrivate]) { (_) throws(Failure) in },
        Scenario("stress-wp", "s", on: [.anon]) { (_) throws(Failure) in },
        Scenario("harness-pass", "s", traps: false) { (_) throws(Failure) in },
        Scenario("bench-wp", "s", on: [.anon], traps: false) { (_) throws(Failure) in },
    ]

    private func names(
        _ patterns: [String] = [],
        skips: [String] = [],
        harness: Bool = false,
        stress: Bool = false
    ) throws -> [String] {
        let selection = try Selection(
            of: catalog,
            patterns: patterns,
            skips: skips,
            includesHarness: harness,
            includesStress: stress
        )
        return selection.instances.map { $0.name }
    }

    @Test func withoutPatternsAllButTheHarnessInOrder() throws {
        let expected = [
            "api-handshake", "wp-fork.anon", "wp-fork.hugetlb", "wp-fork-pinned.anon", "wp-fork-pinned.hugetlb-private",
        ]
        #expect(try names() == expected)
        #expect(try names(harness: true) == expected + ["harness-pass"])
        #expect(try names(stress: true) == expected + ["stress-wp.anon"])
    }

    @Test func aScenariosNameIsAllOfItsKindsAndNothingElse() throws {
        #expect(try names(["wp-fork"]) == ["wp-fork.anon", "wp-fork.hugetlb"])
    }

    @Test func instancesGlobsAndOrder() throws {
        #expect(try names(["wp-fork.anon"]) == ["wp-fork.anon"])
        #expect(try names(["*.hugetlb"]) == ["wp-fork.hugetlb"])
        // The catalog's order, each once, however they were asked for.
        #expect(
            try names(["wp-fork-*", "*.anon"]) == [
                "wp-fork.anon", "wp-fork-pinned.anon", "wp-fork-pinned.hugetlb-private",
            ]
        )
    }

    @Test func benchmarksRunOnlyWhenTheyAreNamed() throws {
        #expect(try names(["bench-*"]) == ["bench-wp.anon"])
        #expect(try !names(["*.anon"]).contains("bench-wp.anon"))
    }

    @Test func theHarnessRunsOnlyWhenItIsNamed() throws {
        #expect(try names(["harness-*"]) == ["harness-pass"])
        #expect(try names(["*"]).contains("harness-pass") == false)
        #expect(throws: Failure.self) { try names(["*-pass"]) }
    }

    @Test func stressRunsOnlyWhenItIsAskedFor() throws {
        #expect(try names(["stress-*"]) == ["stress-wp.anon"])
        #expect(try names(["*.anon"]) == ["wp-fork.anon", "wp-fork-pinned.anon"])
        #expect(try names(["*.anon"], stress: true).last == "stress-wp.anon")
    }

    @Test func skips() throws {
        #expect(try names(["wp-*"], skips: ["*.anon"]) == ["wp-fork.hugetlb", "wp-fork-pinned.hugetlb-private"])
        #expect(throws: Failure.self) { try names(["wp-fork"], skips: ["wp-*"]) }
    }

    @Test func aPatternThatMatchesNothingNamesTheNearest() throws {
        for call in [{ try self.names(["wp-frok"]) }, { try self.names(skips: ["wp-frok"]) }] {
            let failure = #expect(throws: Failure.self) { try call() }
            #expect(failure?.message.contains("'wp-frok'") == true)
            #expect(failure?.message.contains("'wp-fork'") == true)
        }
    }
}
