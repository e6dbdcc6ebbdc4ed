// SPDX-License-Identifier: GPL-2.0-only

import Foundation
import Testing

@testable import KernelLab

@Suite("index.html")
struct HTMLTests {
    private func page(stream: String = SampleResults.stream, end: MachineEnd = .finished) async throws -> String {
        try await withTemporaryFolder { folder in
            let results = try SampleResults.results(in: folder, stream: stream, end: end)
            return String(decoding: HTMLReport(results).data(), as: UTF8.self)
        }
    }

    @Test("One page that loads nothing from elsewhere")
    func selfContained() async throws {
        let page = try await page()
        #expect(page.hasPrefix("<!DOCTYPE html>") && page.contains("</html>"))
        for word in ["http:", "https:", "src=", "@import", "url(", "<link"] { #expect(!page.contains(word), "\(word)") }
        #expect(!page.contains("{{") && !page.contains("}}"))
    }

    @Test("A stranger's text stays text")
    func escaping() async throws {
        let page = try await page()
        #expect(page.contains("&lt;script&gt;alert(1)&lt;/script&gt;") && !page.contains("<script>alert"))
        let controls = page.unicodeScalars.filter { $0.value < 0x20 && $0 != "\n" || (0x7F...0x9F).contains($0.value) }
        #expect(controls.isEmpty)
    }

    @Test("Failures come before the rest, with their checks and what was printed")
    func failures() async throws {
        let page = try await page()
        let failure = try #require(page.firstRange(of: "data lost"))
        let list = try #require(page.firstRange(of: "All scenarios"))
        #expect(failure.lowerBound < list.lowerBound)
        #expect(page.contains("<title>2 scenarios failed: uffd-rwp on 7.2.13-rwp</title>"))
        #expect(page.contains("kernel without UFFD_FEATURE_RWP") && page.contains("second line"))
    }

    @Test("Skips are counted by reason, the most frequent first, to be looked at by a click")
    func skips() async throws {
        let results = [("a", "no swap"), ("b", "no RWP"), ("c", "no RWP"), ("d", "a < b")].enumerated().map {
            ScenarioResult(number: $0 + 1, name: $1.0, verdict: .skipped, reason: $1.1)
        }
        let reasons = SuiteResult(scenarios: results).skipReasons
        #expect(reasons.map(\.reason) == ["no RWP", "a < b", "no swap"])
        #expect(reasons.map(\.count) == [2, 1, 1])
        #expect(try await page().contains(#"data-reason="kernel without UFFD_FEATURE_RWP""#))
        #expect(try await !page(stream: "KTAP version 1\n1..1\nok 1 api-a\n").contains("Why skipped"))
    }

    @Test("A machine that died says so first; one that did not has no such section")
    func died() async throws {
        let dead = try await page(end: .hung(.powerOff, afterSeconds: 30))
        #expect(dead.contains("The machine died") && dead.contains("hung at power-off"))
        #expect(dead.contains("The last lines of the console"))
        let alive = try await page(stream: "KTAP version 1\n1..1\nok 1 api-a\n")
        #expect(alive.contains(">Passed<"))
        for text in ["The last lines of the console", "<h2>Failures", "<h2>The machine"] {
            #expect(!alive.contains(text))
        }
    }

    @Test("Without any result there still is a page")
    func empty() async throws {
        let page = try await page(stream: "", end: .hung(.boot, afterSeconds: 90))
        #expect(page.contains("No scenario has a result.") && page.contains("hung before its first result"))
    }

    @Test("The matrix counts by subject and kind, and a failure outweighs passes")
    func matrix() {
        let results = [
            ("api-a", Verdict.passed), ("wp-a.shmem", .passed), ("wp-b.shmem", .failed), ("wp-a.anon", .skipped),
        ]
        .enumerated().map { ScenarioResult(number: $0 + 1, name: $1.0, verdict: $1.1) }
        let matrix = ResultMatrix(results)
        #expect(matrix.columns == [nil, "anon", "shmem"])
        #expect(matrix.rows.map(\.subject) == ["api", "wp"])
        #expect(matrix.rows[0].cells.map(\.verdict) == [.passed, nil, nil])
        #expect(matrix.rows[1].cells.map(\.verdict) == [nil, .skipped, .failed])
        #expect(matrix.rows[1].cells[2].total == 2)
    }
}
