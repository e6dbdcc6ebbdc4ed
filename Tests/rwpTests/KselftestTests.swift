// SPDX-License-Identifier: GPL-2.0-only

import Foundation
import KernelLab
import SystemPackage
import Testing

@testable import rwp

@Suite struct KselftestTests {
    @Test func theListNamesProgramsByTheirPlaceInTheGuest() throws {
        let tests = try ["mm:cow", "drivers/net:tun"].map { name in
            BuiltKselftest(name: try KselftestName(parsing: name), program: "/cache/program", seconds: 45)
        }
        let list = GuestProgramList(tests, arguments: [])
        #expect(list.text == "mm:cow\t45\t/kselftest/mm/cow\ndrivers/net:tun\t45\t/kselftest/drivers/net/tun\n")
        let one = GuestProgramList([tests[0]], arguments: ["-f", "a b"])
        #expect(one.text == "mm:cow\t45\t/kselftest/mm/cow\t-f\ta b\n")
    }

    @Test func theListIsThereWhileItIsPacked() async throws {
        let test = BuiltKselftest(name: try KselftestName(parsing: "mm:cow"), program: "/cache/cow", seconds: 45)
        let list = GuestProgramList([test], arguments: [])
        var file: FilePath?
        try await list.packing { extras in
            #expect(extras.map(\.destination) == ["/kselftest/mm/cow", "/kselftest/list"])
            file = extras.last?.source
            let text = try String(contentsOfFile: try #require(file).string, encoding: .utf8)
            #expect(text == list.text)
        }
        #expect(!FileManager.default.fileExists(atPath: try #require(file).string))
    }

    @Test func theFailuresRunAgainAsWholePrograms() {
        let arguments = ["rwp", "kselftest", "mm:cow", "--series", "none", "mm:migration", "--", "-f", "a b"]
        let again = RerunCommand(arguments: arguments, patterns: ["mm:cow", "mm:migration"])
        let line = again.line(for: ["kernel-log-boot", "mm:cow/one.anon", "mm:cow/two", "mm:cow"])
        #expect(line == "rwp kselftest --series none mm:cow -- -f 'a b'")
        #expect(again.line(for: ["kernel-log-end"]) == nil)
    }

    private func comparison(_ stock: Verdict, _ tested: Verdict) -> KselftestComparison {
        KselftestComparison(
            reference: SuiteResult(scenarios: [ScenarioResult(number: 1, name: "mm:x/a", verdict: stock)]),
            tested: SuiteResult(
                scenarios: [ScenarioResult(number: 1, name: "mm:x/a", verdict: tested, reason: "a reason")]
            )
        )
    }

    @Test func onlyWhatIsWorseThanOnTheOtherKernelCounts() {
        #expect(KselftestCommand.exitStatus(.scenarioFailed, nil) == .scenarioFailed)
        #expect(KselftestCommand.exitStatus(.scenarioFailed, comparison(.failed, .failed)) == .passed)
        #expect(KselftestCommand.exitStatus(.scenarioFailed, comparison(.passed, .failed)) == .scenarioFailed)
        #expect(KselftestCommand.exitStatus(.passed, comparison(.passed, .skipped)) == .scenarioFailed)
        #expect(KselftestCommand.exitStatus(.machineDied, comparison(.failed, .passed)) == .machineDied)
    }

    @Test func differencesAreATable() {
        let worse = ComparisonText.of(comparison(.passed, .failed), ink: .plain)
        #expect(worse.contains("TEST") && worse.contains("mm:x/a") && worse.contains("WORSE"))
        #expect(worse.contains("a reason"))
        #expect(worse.hasSuffix("0 results are the same on both kernels, 1 not: 1 for the worse\n"))
        let same = ComparisonText.of(comparison(.passed, .passed), ink: .plain)
        #expect(same == "1 result is the same on both kernels, and none differs\n")
    }
}
