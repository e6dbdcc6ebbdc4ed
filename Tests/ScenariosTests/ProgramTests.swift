// SPDX-License-Identifier: GPL-2.0-only

import Scenarios
import Testing
import Userfaultfd

@Suite struct ProgramTests {
    @Test func aLineHasFieldsWithTabsBetweenThem() throws {
        let program = try Program(line: "mm:cow\t900\t/kselftest/mm/cow\t-f\ta \"b\" c")
        #expect(program.name == "mm:cow" && program.seconds == 900)
        #expect(program.path == "/kselftest/mm/cow" && program.folder == "/kselftest/mm")
        #expect(program.arguments == ["-f", "a \"b\" c"])
        #expect(try Program(line: "a\t1\t/init").folder == "/")
    }

    @Test(arguments: ["mm:cow", "mm:cow\t900", "mm:cow\tlong\t/a", "mm:cow\t0\t/a", "mm:cow\t1\tcow"])
    func wrongLinesAreShown(line: String) {
        let failure = #expect(throws: Failure.self) { try Program(line: line) }
        #expect(failure?.message.contains(line) == true)
    }

    @Test func exitStatusesAreThoseOfKselftest() {
        #expect(Program.outcome(ofStatus: 0) == .passed)
        #expect(Program.outcome(ofStatus: 1) == .failed)
        #expect(Program.outcome(ofStatus: 2) == .skipped("XFAIL"))
        #expect(Program.outcome(ofStatus: 4) == .skipped("SKIP"))
        #expect(Program.outcome(ofStatus: 127) == .failed)
    }

    @Test func aProgramIsAnInstanceOfItsOwnName() throws {
        let program = try Program(line: "mm:cow\t9\t/kselftest/mm/cow")
        let selection = Selection([program])
        #expect(selection.instances.map(\.name) == ["mm:cow"])
        #expect(selection.instances[0].scenario.seconds == 9 && !selection.instances[0].scenario.traps)
    }

    @Test(arguments: [["--run", "/list", "wp-*"], ["--run=/list", "--skip=a"], ["--list", "--run=/list"], ["--run"]])
    func programsRunInsteadOfScenarios(words: [String]) throws {
        #expect(try Arguments(["--run=/list"]).programList == "/list")
        #expect(throws: Failure.self) { try Arguments(words) }
    }
}
