// SPDX-License-Identifier: GPL-2.0-only

import Foundation
import Synchronization
import SystemPackage
import Testing

@testable import KernelLab

@Suite struct ExpectationsTests {
    private static let names = ["rwp-ksm-merge.anon", "rwp-ksm-merge.shmem", "rwp-ksm-zero", "wp-fork.anon"]
    private static let entry = """
        seen = "7.3.4"
        [[expected]]
        results = ["rwp-ksm-*"]
        except = ["*.shmem"]
        rule = "B1"
        what = "merging loses arms"
        since = "7.3"

        """

    private func read(_ text: String, names: [String] = Self.names) async throws -> Expectations {
        try await withTemporaryFolder { folder in
            let rules = folder.appending("rules.toml")
            try rules.write("[[rule]]\nid = \"B1\"\ntext = \"KSM.\"\n")
            let file = folder.appending("v7.3.toml")
            try file.write(text)
            return try Expectations(path: file, contract: try Contract(path: rules), results: names)
        }
    }

    private func problem(_ text: String) async -> String {
        do {
            _ = try await read(text)
            return "none"
        } catch {
            return "\(error)".replacing(#/^.*/v7\.3\.toml:/#, with: "")
        }
    }

    @Test func anEntryNamesWhatItsPatternsMatch() async throws {
        let expectations = try await read(Self.entry)
        #expect(expectations.difference(for: "rwp-ksm-merge.anon")?.words == "B1: merging loses arms (since 7.3)")
        #expect(expectations.difference(for: "rwp-ksm-zero") != nil)
        #expect(expectations.difference(for: "rwp-ksm-merge.shmem") == nil)
        #expect(expectations.difference(for: "wp-fork.anon") == nil)
    }

    @Test func anEntryMayBeAboutOneFlavour() async throws {
        let expectations = try await read(Self.entry + "flavor = \"no-marker\"\n")
        #expect(expectations.of(.noMarker).difference(for: "rwp-ksm-zero") != nil)
        #expect(expectations.of(.standard).difference(for: "rwp-ksm-zero") == nil)
    }

    @Test func mistakesInTheFileHaveLineAndKey() async {
        let cases = [
            ("results = [\"rwp-kms-*\"]", "3: “expected[0].results” has “rwp-kms-*”, which matches no scenario"),
            ("results = \"rwp-ksm-*\"", "3: the value of “expected[0].results” must be an array of strings"),
            ("resluts = [\"rwp-ksm-*\"]", "3: unknown key “expected[0].resluts”; did you mean “expected[0].results”?"),
        ]
        for (line, message) in cases {
            let text = Self.entry.replacing("results = [\"rwp-ksm-*\"]", with: line)
            #expect(await problem(text).hasPrefix(message))
        }
        #expect(await problem(Self.entry.replacing("*.shmem", with: "*.hugetlb")).contains("expected[0].except"))
        #expect(
            await problem(Self.entry.replacing("\"B1\"", with: "\"B9\""))
                == "5: “expected[0].rule” is “B9”, which is no rule of kernel-patches/rules.toml"
        )
        #expect(
            await problem(Self.entry + "flavor = \"fast\"\n").contains("the flavours are default, debug, no-marker")
        )
        #expect(
            await problem(Self.entry.replacing("since = \"7.3\"\n", with: ""))
                == "2: the key “expected[0].since” is missing; kernel-patches/README.md says what it means"
        )
        #expect(await problem("seen = ").contains("not TOML"))
    }

    private func suite() -> SuiteResult {
        SuiteResult(
            planned: 4,
            scenarios: [
                ScenarioResult(number: 1, name: "rwp-ksm-merge.anon", verdict: .failed, reason: "lost"),
                ScenarioResult(number: 2, name: "rwp-ksm-zero", verdict: .passed),
                ScenarioResult(number: 3, name: "rwp-ksm-merge.shmem", verdict: .failed, reason: "lost too"),
                ScenarioResult(number: 4, name: "wp-fork.anon", verdict: .passed),
            ],
            isComplete: true
        )
    }

    @Test func aFailureIsExpectedAndAPassThatWasNotIsAFailure() async throws {
        let expectations = try await read(Self.entry)
        let judged = expectations.judging(suite())
        #expect(judged.scenarios.map(\.verdict) == [.expected, .failed, .failed, .passed])
        #expect(judged.scenarios[0].reason == "B1: merging loses arms (since 7.3)")
        #expect(judged.scenarios[0].difference?.rule == "B1")
        let surprise = try #require(judged.scenarios[1].reason)
        #expect(surprise.hasPrefix("it passes, and ") && surprise.hasSuffix("take it out there"))
        #expect(judged.scenarios[2].reason == "lost too" && judged.scenarios[2].difference == nil)
    }

    @Test func whatFailsByChanceMayPass() async throws {
        let text = Self.entry.replacing("except", with: "sometimes = [\"rwp-ksm-zero\", \"*.shmem\"]\nexcept")
        let expectations = try await read(text.replacing("except = [\"*.shmem\"]\n", with: ""))
        let judged = expectations.judging(suite())
        #expect(judged.scenarios.map(\.verdict) == [.expected, .passed, .expected, .passed])
        #expect(judged.scenarios[1].difference == nil)
        #expect(expectations.markdown(name: "v7.3").hasSuffix("`rwp-ksm-*`, by chance `rwp-ksm-zero` `*.shmem` |\n"))
        #expect(await problem(Self.entry + "sometimes = [\"*.hugetlb\"]\n").contains("expected[0].sometimes"))
    }

    @Test func whatIsSkippedIsNeither() async throws {
        var suite = suite()
        suite.scenarios[0].verdict = .skipped
        #expect(try await read(Self.entry).judging(suite).scenarios[0].verdict == .skipped)
    }

    @Test func screensHearTheSameVerdicts() async throws {
        let heard = Mutex<[Verdict]>([])
        let sink = try await read(Self.entry).judging(
            EventSink { event in
                if case .ktap(.result(_, _, let verdict, _)) = event { heard.withLock { $0.append(verdict) } }
            }
        )
        for result in suite().scenarios {
            sink.send(.ktap(.result(number: result.number, name: result.name, verdict: result.verdict, reason: nil)))
        }
        #expect(heard.withLock { $0 } == [.expected, .failed, .failed, .passed])
    }

    @Test func theStreamThatIsKeptSaysSo() async throws {
        let stream = """
            KTAP version 1
            1..4
            not ok 1 rwp-ksm-merge.anon
            ok 2 rwp-ksm-zero
            not ok 3 rwp-ksm-merge.shmem
            ok 4 wp-fork.anon

            """
        #expect(suite().annotating(stream) == stream)
        #expect(
            try await read(Self.entry).judging(suite()).annotating(stream) == """
                KTAP version 1
                1..4
                not ok 1 rwp-ksm-merge.anon # XFAIL B1: merging loses arms (since 7.3)
                not ok 2 rwp-ksm-zero # XPASS B1: merging loses arms (since 7.3)
                not ok 3 rwp-ksm-merge.shmem
                ok 4 wp-fork.anon

                """
        )
    }

    @Test func theTableHasARowAnEntry() async throws {
        let text = try await read(Self.entry).markdown(name: "v7.3")
        #expect(text.hasSuffix("| **B1** | merging loses arms | 7.3 | `rwp-ksm-*`, but not `*.shmem` |\n"))
        #expect(text.contains("<!-- Generated: rwp list --expected v7.3 --markdown > docs/expected-v7.3.md -->"))
    }

    @Test func reportsTellAnExpectedFailureFromAFailure() async throws {
        let expectations = try await read(
            Self.entry.replacing("rwp-ksm-*", with: "wp-crash").replacing("except = [\"*.shmem\"]\n", with: ""),
            names: ["wp-crash.hugetlb"]
        )
        try await withTemporaryFolder { folder in
            var run = try SampleResults.run(in: folder)
            run.suite = expectations.judging(run.suite)
            let results = Results(run: run, context: SampleResults.context)
            let out = folder.appending("out")
            try results.write(to: out)
            #expect(
                try out.appending("ktap.txt").text().contains("not ok 4 wp-crash.hugetlb # XFAIL B1: merging loses")
            )
            let junit = try out.appending("junit.xml").text()
            #expect(junit.contains("<skipped message=\"failed as expected: B1: merging loses arms (since 7.3)\""))
            #expect(junit.contains("failures=\"1\""))
            #expect(try out.appending("index.html").text().contains("failed as expected"))
            let back = try Results(directory: out)
            #expect(back.suite.scenarios[3].verdict == .expected && back.suite.scenarios[3].difference?.since == "7.3")
            #expect(back.exitStatus == .scenarioFailed)
            run.suite.scenarios.remove(at: 1)
            #expect(Results(run: run, context: SampleResults.context).exitStatus == .passed)
        }
    }
}
