// SPDX-License-Identifier: GPL-2.0-only

import Testing

@testable import KernelLab

/// Collects a whole stream in one chunk.
func collect(_ text: String, dialect: SuiteCollector.Dialect = .guest) -> SuiteResult {
    var collector = SuiteCollector(dialect: dialect)
    _ = collector.receive(Array(text.utf8))
    return collector.finish()
}

/// A stream as the guest writes it: one pass, one failure, one skip.
let guestStream = """
    KTAP version 1
    1..3
    # kernel 7.2.13-rwp
    # running api-negotiate
    # duration_ms: 12
    # rules: N1 N2
    # traps: 3
    ok 1 api-negotiate
    # running wp-sync-read.anon-thp
    # armed 16 pages
    # FAIL WriteProtect.swift:42: expected 16 traps, saw 15
    # FAIL WriteProtect.swift:50: data lost
    not ok 2 wp-sync-read.anon-thp
    # running rwp-async-read.shmem
    ok 3 rwp-async-read.shmem # SKIP kernel without UFFD_FEATURE_RWP
    # Totals: pass:1 fail:1 skip:1

    """.replacing("\n\n", with: "\n")

@Suite("Suite of results: the guest's stream")
struct GuestStreamTests {
    @Test("Everything that the stream says arrives in order")
    func whole() throws {
        let suite = collect(guestStream)
        #expect(suite.protocolErrors == [])
        #expect(suite.isComplete && suite.planned == 3 && suite.running == nil && suite.bailOut == nil)
        #expect(suite.diagnostics == ["kernel 7.2.13-rwp"])
        try #require(suite.scenarios.count == 3)
        #expect(
            suite.scenarios[0]
                == ScenarioResult(
                    number: 1,
                    name: "api-negotiate",
                    verdict: .passed,
                    durationMilliseconds: 12,
                    rules: ["N1", "N2"],
                    traps: 3
                )
        )
        let failed = suite.scenarios[1]
        #expect(failed.verdict == .failed)
        #expect(failed.reason == "WriteProtect.swift:42: expected 16 traps, saw 15")
        #expect(failed.failures.map(\.message) == ["expected 16 traps, saw 15", "data lost"])
        #expect(failed.diagnostics == ["armed 16 pages"])
        #expect(suite.scenarios[2].verdict == .skipped)
        #expect(suite.scenarios[2].reason == "kernel without UFFD_FEATURE_RWP")
        #expect(Verdict.allCases.map(suite.count) == [1, 1, 1, 0])
    }

    @Test("However the stream is cut into chunks, events and results are the same")
    func chunking() {
        let stream = Array(guestStream.replacing("armed", with: "arméd\u{1F512}").replacing("\n", with: "\r\n").utf8)
        var whole = SuiteCollector()
        let events = whole.receive(stream)
        let result = whole.finish()
        var random = SplitMix(seed: 42)
        for size in [1, 2, 3, 7, 64] + (0..<200).map({ _ in 0 }) {
            var collector = SuiteCollector()
            var rest = stream[...]
            var seen: [KTAPEvent] = []
            while !rest.isEmpty {
                let chunk = rest.prefix(size > 0 ? size : Int.random(in: 1...40, using: &random))
                seen += collector.receive(chunk)
                rest = rest.dropFirst(chunk.count)
            }
            #expect(seen == events)
            #expect(collector.finish() == result)
        }
    }

    @Test("Cut anywhere, the stream is never taken for complete, and what came before is kept")
    func cutAnywhere() {
        let stream = Array(guestStream.utf8)
        guard let lastResult = guestStream.firstRange(of: "UFFD_FEATURE_RWP\n") else { return }
        let end = guestStream.utf8.distance(from: guestStream.startIndex, to: lastResult.upperBound)
        for length in 0..<end {
            var collector = SuiteCollector()
            _ = collector.receive(stream.prefix(length))
            #expect(!collector.isOver)
            let result = collector.finish()
            #expect(!result.isComplete && !result.protocolErrors.isEmpty, "cut after \(length) bytes")
        }
    }

    @Test("A name says its subject and memory kind")
    func names() {
        func parts(_ name: String) -> [String?] {
            let result = ScenarioResult(number: 1, name: name, verdict: .passed)
            return [result.subject, result.point, result.memoryKind]
        }
        #expect(parts("api-negotiate") == ["api", "api-negotiate", nil])
        #expect(parts("rwp-async-one-byte.hugetlb-private") == ["rwp-async", "rwp-async-one-byte", "hugetlb-private"])
        #expect(parts("uffd-ops-minor") == ["uffd-ops", "uffd-ops-minor", nil])
        #expect(parts("wp-async-fork.anon") == ["wp", "wp-async-fork", "anon"])
        #expect(parts("soft-dirty-wp.shmem") == ["soft-dirty", "soft-dirty-wp", "shmem"])
        #expect(parts("wp-a.b") == ["wp", "wp-a.b", nil])
    }
}

@Suite("Suite of results: breaches of the protocol")
struct KTAPProtocolErrorTests {
    typealias Kind = KTAPProtocolError.Kind

    @Test(
        "Each breach is named, on its line",
        arguments: [
            ("", [(Kind.missingVersion, 0)]),
            ("1..1\nok 1 a\n", [(.missingVersion, 1)]),
            ("KTAP version 2\n1..1\nok 1 a\n", [(.unsupportedVersion, 1)]),
            ("TAP version 13\n1..1\nok 1 a\n", [(.unsupportedVersion, 1)]),
            ("KTAP version 1\nKTAP version 1\n1..1\nok 1 a\n", [(.duplicateVersion, 2)]),
            ("KTAP version 1\nok 1 a\n", [(.missingPlan, 2)]),
            ("KTAP version 1\n1..1\n1..1\nok 1 a\n", [(.duplicatePlan, 3)]),
            ("KTAP version 1\nok 1 a\n1..1\n", [(.latePlan, 3)]),
            ("KTAP version 1\n1..1\nok 1 a\nok 2 b\n", [(.planMismatch, 4)]),
            ("KTAP version 1\n1..2\nok 1 a\n# Totals: pass:1 fail:0 skip:0\n", [(.planMismatch, 4)]),
            ("KTAP version 1\n1..2\nok 2 b\nok 1 a\n", [(.numberOutOfOrder, 3), (.numberOutOfOrder, 4)]),
            ("KTAP version 1\n1..2\nok 1 a\nok 1 b\n", [(.duplicateNumber, 4)]),
            ("KTAP version 1\n1..2\nok 1 a\nok 2 a\n", [(.duplicateName, 4)]),
            ("KTAP version 1\n1..1\n# running a\nok 1 b\n", [(.wrongScenario, 4)]),
            ("KTAP version 1\n1..2\n# running a\n# running b\nok 1 b\nok 2 c\n", [(.missingResult, 4)]),
            ("KTAP version 1\n1..1\nok 1 a\n# running b\n", [(.missingResult, 4)]),
            ("KTAP version 1\n1..1\nok 1 a\n# Totals: pass:0 fail:1 skip:0\n", [(.wrongTotals, 4)]),
            ("KTAP version 1\n1..2\nBail out! no memory\nok 1 a\nok 2 b\n", [(.afterBailOut, 4)]),
            ("KTAP version 1\n1..1\n[ 1.0] oops\nok 1 a\n", [(.unknownLine, 3)]),
            ("KTAP version 1\n1..1\n\nok 1 a\n", [(.unknownLine, 3)]),
            ("KTAP version 1\n1..2\nok 1 a\n", [(.cutOff, 3)]),
            ("KTAP version 1\n1..2\nok 1 a\n# running b\n", [(.cutOff, 4)]),
            ("KTAP version 1\n1..2\nok 1 a\nok 2 b", [(.cutOff, 4)]),
        ]
    )
    func breach(_ stream: String, _ expected: [(Kind, Int)]) {
        let errors = collect(stream).protocolErrors
        #expect(errors.map(\.kind) == expected.map(\.0))
        #expect(errors.map(\.line) == expected.map(\.1))
    }

    @Test("A stream that ends in the middle says what was running and how far it came")
    func cutOff() {
        let suite = collect("KTAP version 1\n1..9\nok 1 a\n# running wp-b.anon\n# half\n")
        #expect(suite.running == "wp-b.anon")
        #expect(suite.diagnostics == ["half"])
        #expect(
            suite.protocolErrors.first?.message == "the stream ends after 1 of 9 results, while wp-b.anon was running"
        )
        let partial = collect("KTAP version 1\n1..12\nok 1")
        #expect(partial.scenarios.isEmpty)
        #expect(partial.protocolErrors.first?.message == "the stream ends in the middle of a line: “ok 1”")
    }

    @Test("A line too long is cut and reported, and the next line is read")
    func tooLong() {
        let long = String(repeating: "x", count: KTAPLineSplitter.limit)
        let suite = collect("KTAP version 1\n1..1\n# \(long)\nok 1 a\n")
        #expect(suite.protocolErrors.map(\.kind) == [.lineTooLong])
        #expect(suite.scenarios.map(\.name) == ["a"])
    }

    @Test("Bail out ends the suite with its reason and is not a cut")
    func bailOut() {
        let suite = collect("KTAP version 1\n1..3\nok 1 a\nBail out! cannot mount /proc\n")
        #expect(suite.bailOut == "cannot mount /proc")
        #expect(suite.protocolErrors == [] && !suite.isComplete)
    }
}

/// A small generator with a seed, so that a failing choice can be repeated (Steele, Lea and Flood, 2014).
struct SplitMix: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) {
        state = seed
    }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}
