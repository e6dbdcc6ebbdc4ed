// SPDX-License-Identifier: GPL-2.0-only

import Scenarios
import Testing
import Userfaultfd

@Suite struct ArgumentsTests {
    @Test func nothingGivenIsTheWholeSuiteOnce() throws {
        let arguments = try Arguments([])
        #expect(arguments.patterns.isEmpty && arguments.skips.isEmpty)
        #expect(arguments.repeats == 1 && arguments.timeoutScale == 1)
        #expect(!arguments.list && !arguments.help && arguments.initOption == nil && arguments.commandOption == nil)
    }

    @Test func patternsAndOptionsMix() throws {
        let arguments = try Arguments([
            "wp-*", "--repeat", "20", "*.anon", "--skip=a", "--skip", "b", "--timeout-scale=3",
        ])
        #expect(arguments.patterns == ["wp-*", "*.anon"])
        #expect(arguments.skips == ["a", "b"])
        #expect(arguments.repeats == 20 && arguments.timeoutScale == 3)
    }

    @Test func loadHasALengthAndASeed() throws {
        #expect(try Arguments([]).load.seconds == 0)
        let load = try Arguments(["--stress", "60", "--seed=7"]).load
        #expect(load.seconds == 60 && load.seed == 7)
    }

    @Test func optionsKnowWhoTheyAreFor() throws {
        #expect(try Arguments(["--huge-pages", "8", "--swap-mb=0"]).initOption == "--swap-mb")
        #expect(try Arguments(["--swap-mb", "64"]).swapMegabytes == 64)
        #expect(try Arguments(["--shell"]).initOption == "--shell")
        #expect(try Arguments(["--list"]).commandOption == "--list")
        #expect(try Arguments(["--harness-hang=poweroff"]).sabotage == .hangAtEnd)
        #expect(try Arguments(["--harness-badplan"]).sabotage == .wrongPlan)
    }

    @Test(arguments: [
        (["--lsit"], "'--list'"), (["--repeat"], "needs a value"), (["--repeat", "0"], "'0'"), (["--repeat=x"], "'x'"),
        (["--list=yes"], "takes no value"), (["--timeout-scale", "99999999999999999999"], "not a number"),
        (["-h"], "'-h'"),
        (["--harness-hang", "never"], "'never'"), (["--repeat", "-1"], "'-1'"),
    ])
    func wrongWordsAreNamed(words: [String], expected: String) {
        let failure = #expect(throws: Failure.self) { try Arguments(words) }
        #expect(failure?.message.contains(expected) == true, "\(failure?.message ?? "")")
    }

    @Test func helpTellsEveryOption() {
        for option in ["--list", "--skip PATTERN", "--repeat N", "--timeout-scale N", "--shell", "--swap-mb N"] {
            #expect(Arguments.helpText.contains("  \(option)"))
        }
    }
}
