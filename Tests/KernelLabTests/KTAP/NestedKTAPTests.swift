// SPDX-License-Identifier: GPL-2.0-only

import Testing

@testable import KernelLab

@Suite("Suite of results: kernel tests with nested results")
struct NestedKTAPTests {
    /// Names and verdicts of a tree, one string a node.
    private func outline(_ results: [ScenarioResult], indent: String = "") -> [String] {
        results.flatMap { result in
            ["\(indent)\(result.name) \(result.verdict)"] + outline(result.subtests, indent: indent + "  ")
        }
    }

    @Test("The example of ktap.rst")
    func example() throws {
        let suite = collect(
            """
            KTAP version 1
            1..1
              KTAP version 1
              1..3
                KTAP version 1
                1..1
                # test_1: initializing test_1
                ok 1 test_1
              ok 1 example_test_1
                KTAP version 1
                1..2
                ok 1 test_1 # SKIP test_1 skipped
                ok 2 test_2
              ok 2 example_test_2
                KTAP version 1
                1..3
                ok 1 test_1
                # test_2: FAIL
                not ok 2 test_2
                ok 3 test_3 # SKIP test_3 skipped
              not ok 3 example_test_3
            not ok 1 main_test

            """,
            dialect: .kernel
        )
        #expect(suite.protocolErrors == [] && suite.isComplete)
        #expect(
            outline(suite.scenarios) == [
                "main_test failed",
                "  example_test_1 passed", "    test_1 passed",
                "  example_test_2 passed", "    test_1 skipped", "    test_2 passed",
                "  example_test_3 failed", "    test_1 passed", "    test_2 failed", "    test_3 skipped",
            ]
        )
        let first = try #require(suite.scenarios.first?.subtests.first?.subtests.first)
        #expect(first.diagnostics == ["test_1: initializing test_1"])
    }

    @Test("KUnit: four spaces, # Subtest:, kernel messages between")
    func kunit() {
        let suite = collect(
            """
            KTAP version 1
            1..1
                KTAP version 1
                # Subtest: example
                # module: kunit_example_test
                1..2
            [    1.2] a kernel message
                ok 1 simple
                    KTAP version 1
                    # Subtest: params
                    ok 1 example value 3
                    ok 2 example value 2
                ok 2 params
            # Totals: pass:3 fail:0 skip:0 total:3
            ok 1 example

            """,
            dialect: .kernel
        )
        #expect(suite.protocolErrors == [])
        let expected = [
            "example passed", "  simple passed", "  params passed", "    example value 3 passed",
            "    example value 2 passed",
        ]
        #expect(outline(suite.scenarios) == expected)
    }

    @Test("kselftest's runner indents with a hash sign")
    func kselftest() {
        let suite = collect(
            """
            TAP version 13
            1..2
            # timeout set to 45
            # selftests: mm: pagemap_ioctl
            # TAP version 13
            # 1..3
            # # some page size
            # ok 1 sanity_tests_sd
            # not ok 2 mprotect_tests
            # ok 3 # SKIP hugetlb
            # # Totals: pass:1 fail:1 xfail:0 xpass:0 skip:1 error:0
            not ok 1 selftests: mm: pagemap_ioctl # exit=1
            # selftests: mm: quiet
            # ok 1 only a diagnostic, since nothing was opened
            ok 2 selftests: mm: quiet

            """,
            dialect: .kernel
        )
        #expect(suite.protocolErrors == [])
        #expect(
            outline(suite.scenarios) == [
                "selftests: mm: pagemap_ioctl failed", "  sanity_tests_sd passed", "  mprotect_tests failed",
                "  hugetlb skipped", "selftests: mm: quiet passed",
            ]
        )
        #expect(suite.scenarios.first?.reason == "exit=1")
    }

    @Test("A nested plan that does not match is found")
    func nestedPlan() {
        let suite = collect("KTAP version 1\n1..1\n  KTAP version 1\n  1..2\n  ok 1 a\nok 1 b\n", dialect: .kernel)
        #expect(suite.protocolErrors.map(\.kind) == [.planMismatch])
        #expect(suite.protocolErrors.first?.line == 6)
    }

    @Test("A kernel test may leave the plan out, give it late, or skip everything")
    func plans() {
        #expect(collect("TAP version 13\nok 1 a\n", dialect: .kernel).protocolErrors == [])
        #expect(collect("TAP version 13\nok 1 a\n1..1\n", dialect: .kernel).protocolErrors == [])
        let skipped = collect("TAP version 13\n1..0 # SKIP no userfaultfd\n", dialect: .kernel)
        #expect(skipped.protocolErrors == [] && skipped.isComplete)
        #expect(skipped.diagnostics == ["SKIP no userfaultfd"])
    }

    @Test("Lines before the version are the console's; # running is a diagnostic")
    func leniency() {
        let suite = collect("[ 0.1] Linux\nTAP version 13\n1..1\n# running late\nok 1 a", dialect: .kernel)
        #expect(suite.protocolErrors == [] && suite.isComplete)
        #expect(suite.scenarios.first?.diagnostics.contains("running late") == true)
    }
}
