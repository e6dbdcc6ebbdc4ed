// SPDX-License-Identifier: GPL-2.0-only

import Foundation
import Testing
import XMLCoder

@testable import KernelLab

@Suite("junit.xml")
struct JUnitTests {
    private struct Root: Decodable {
        var tests: Int
        var failures: Int
        var errors: Int
        var testsuite: [Suite]
    }

    private struct Suite: Decodable {
        var name: String
        var tests: Int
        var failures: Int
        var errors: Int
        var skipped: Int
        var time: String
        var timestamp: String
        var testcase: [Case]
    }

    private struct Case: Decodable {
        var name: String
        var classname: String
        var time: String
        var failure: Message?
        var error: Message?
        var skipped: Message?
        var output: String?

        enum CodingKeys: String, CodingKey {
            case name, classname, time, failure, error, skipped
            case output = "system-out"
        }
    }

    private struct Message: Decodable {
        var message: String
        var text: String?

        enum CodingKeys: String, CodingKey {
            case message
            case text = ""
        }
    }

    private func junit(end: MachineEnd = .finished) async throws -> Root {
        try await withTemporaryFolder { folder in
            let data = JUnitReport(try SampleResults.results(in: folder, end: end)).data()
            let decoder = XMLDecoder()
            decoder.trimValueWhitespaces = false
            decoder.removeWhitespaceElements = true
            return try decoder.decode(Root.self, from: data)
        }
    }

    @Test("A suite for each subject, a case for each scenario")
    func suites() async throws {
        let root = try await junit()
        #expect(root.tests == 4 && root.failures == 2 && root.errors == 0)
        #expect(root.testsuite.map(\.name) == ["api", "wp", "rwp-async"])
        #expect(root.testsuite.map(\.tests) == [1, 2, 1])
        #expect(root.testsuite.map(\.failures) == [0, 2, 0])
        #expect(root.testsuite.map(\.skipped) == [0, 0, 1])
        let wp = root.testsuite[1]
        #expect(wp.time == "1.234" && wp.timestamp == "2026-11-21T10:00:00")
        #expect(wp.testcase.map(\.name) == ["wp-sync-read.anon-thp", "wp-crash.hugetlb"])
        #expect(wp.testcase.map(\.classname) == ["wp", "wp"])
    }

    @Test("Failures and skips say why")
    func reasons() async throws {
        let root = try await junit()
        let failure = try #require(root.testsuite[1].testcase.first?.failure)
        #expect(failure.message == "WriteProtect.swift:42: expected <16> traps & \"saw\" 15")
        #expect(failure.text?.contains("WriteProtect.swift:50: data lost") == true)
        #expect(root.testsuite[1].testcase.last?.failure?.message == "child died of SIGSEGV")
        #expect(root.testsuite[2].testcase.first?.skipped?.message == "kernel without UFFD_FEATURE_RWP")
    }

    @Test("What XML forbids is shown by pictures, and what it means by itself is kept")
    func controls() async throws {
        let output = try #require(try await junit().testsuite[1].testcase.first?.output)
        #expect(output.contains("␛[31mred␛[0m ]]> <script>alert(1)</script> & \"quotes\" ␀␡"))
        #expect(output.contains("\nsecond line"))
        let forbidden = output.unicodeScalars.filter {
            $0.value < 0x20 && $0 != "\n" || (0x7F...0x9F).contains($0.value)
        }
        #expect(forbidden.isEmpty)
    }

    @Test("A machine that died is a case with an error, so that CI does not show green")
    func died() async throws {
        let root = try await junit(end: .panicked(reason: "sysrq", running: "wp-x.anon"))
        #expect(root.tests == 5 && root.errors == 1)
        let machine = try #require(root.testsuite.last)
        #expect(machine.name == "machine")
        #expect(machine.testcase.first?.error?.message == "the kernel panicked while wp-x.anon was running: sysrq")
        #expect(machine.testcase.first?.error?.text?.contains("Linux version 7.2.13-rwp") == true)
    }
}
