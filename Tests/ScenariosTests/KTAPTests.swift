// SPDX-License-Identifier: GPL-2.0-only

import Scenarios
import Testing
import Userfaultfd

@Suite struct KTAPTests {
    @Test func resultLines() {
        #expect(KTAP.result(1, "wp-fork.anon", .passed) == "ok 1 wp-fork.anon")
        #expect(KTAP.result(2, "wp-fork.anon", .failed) == "not ok 2 wp-fork.anon")
        #expect(KTAP.result(3, "a", .skipped(reason: "no swap is on")) == "ok 3 a # SKIP no swap is on")
        #expect(KTAP.totals(passed: 1, failed: 2, skipped: 3) == "# Totals: pass:1 fail:2 skip:3")
    }

    @Test func nothingThatAScenarioWritesReadsLikeTheRunner() {
        #expect(KTAP.output("running wp-fork") == "#   running wp-fork")
        #expect(KTAP.output("a\nok 1 a") == "#   a\\x0aok 1 a")
        #expect(KTAP.output("\u{1B}[31m\tx\u{7F}é") == "#   \\x1b[31m x\\x7f\\xc3\\xa9")
    }

    @Test func longTextIsCut() {
        let text = KTAP.printable(String(repeating: "x", count: KTAP.limit + 1))
        #expect(text == String(repeating: "x", count: KTAP.limit) + " [cut: 1001 bytes]")
        #expect(KTAP.printable(String(repeating: "x", count: KTAP.limit)).count == KTAP.limit)
    }

    @Test func failuresKeepTheirPlace() {
        let failure = RunFailure(message: "Scenarios/Fork.swift:7: page 2: got 1", otherwise: "wp-fork.anon")
        #expect(failure.place == "Scenarios/Fork.swift:7" && failure.message == "page 2: got 1")
        let bare = RunFailure(message: "UFFDIO_COPY: EEXIST", otherwise: "wp-fork.anon")
        #expect(bare.place == "wp-fork.anon" && bare.message == "UFFDIO_COPY: EEXIST")
        #expect(KTAP.failure(bare) == "# FAIL wp-fork.anon: UFFDIO_COPY: EEXIST")
    }
}

@Suite struct ChildReportTests {
    @Test func aReportIsReadBack() {
        var report = ChildReport()
        #expect(report.take(ChildReport.note("two\nlines")) == "two\\x0alines")
        #expect(report.take(ChildReport.failure("a.swift:1: b")) == nil)
        #expect(!report.isDone)
        #expect(report.take(ChildReport.done(traps: 3)) == nil)
        #expect(report.failures == ["a.swift:1: b"] && report.traps == 3 && report.isDone)
    }

    @Test func whatIsNoRecordIsShownAndNotBelieved() {
        var report = ChildReport()
        for line in ["done", "done x", "ok 1 a", "", "notes"] { #expect(report.take(line) == line) }
        #expect(!report.isDone && report.failures.isEmpty)
    }

    @Test func aLongTextIsCutOnceOnly() {
        var report = ChildReport()
        let shown = report.take(ChildReport.note(String(repeating: "\n", count: 5000))) ?? ""
        #expect(shown.hasSuffix("[cut: 5000 bytes]"))
        #expect(KTAP.output(shown) == "#   " + shown)
    }

    @Test func linesWithoutEndAreBounded() {
        var report = ChildReport()
        for _ in 0..<ChildReport.lineLimit { #expect(report.countLine() == .shown) }
        #expect(report.countLine() == .last)
        #expect(report.countLine() == .dropped)
    }
}

@Suite struct LineAssemblerTests {
    @Test func piecesBecomeLines() {
        var assembler = LineAssembler()
        #expect(assembler.add(Array("a\n\nb".utf8)) == ["a", ""])
        #expect(assembler.add(Array("c\nd".utf8)) == ["bc"])
        #expect(assembler.finish() == "d")
        #expect(assembler.finish() == nil)
    }

    @Test func aLineOfAnyLengthTakesBoundedMemory() {
        var assembler = LineAssembler()
        #expect(assembler.add([UInt8](repeating: 0x78, count: 100_000)).isEmpty)
        #expect(assembler.add([0x0A]).first?.utf8.count == LineAssembler.limit)
    }
}
