// SPDX-License-Identifier: GPL-2.0-only

import Testing

@testable import KernelLab

@Suite("KTAP lines")
struct KTAPLineTests {
    @Test(
        "A line is parsed as ktap.rst and kselftest write it",
        arguments: [
            ("KTAP version 1", KTAPEvent.version(1)),
            ("TAP version 13", .version(13)),
            ("TAP version 14", .version(14)),
            ("KTAP version", .unknown("KTAP version")),
            ("KTAP version x", .unknown("KTAP version x")),
            ("1..12", .plan(12)),
            ("1..0 # SKIP no userfaultfd", .plan(0)),
            ("1..3 # three", .unknown("1..3 # three")),
            ("1..", .unknown("1..")),
            ("2..3", .unknown("2..3")),
            ("1..-3", .unknown("1..-3")),
            ("ok 1 name", .result(number: 1, name: "name", verdict: .passed, reason: nil)),
            ("ok 1 - name", .result(number: 1, name: "name", verdict: .passed, reason: nil)),
            ("ok 1", .result(number: 1, name: "", verdict: .passed, reason: nil)),
            ("not ok 12 two words", .result(number: 12, name: "two words", verdict: .failed, reason: nil)),
            (
                "ok 5 check return code # rcode=0",
                .result(number: 5, name: "check return code", verdict: .passed, reason: "rcode=0")
            ),
            ("ok 1 a # SKIP needs KVM", .result(number: 1, name: "a", verdict: .skipped, reason: "needs KVM")),
            ("ok 1 a # skip: needs KVM", .result(number: 1, name: "a", verdict: .skipped, reason: "needs KVM")),
            ("not ok 1 a # SKIP", .result(number: 1, name: "a", verdict: .skipped, reason: nil)),
            (
                "ok 3 # SKIP UFFDIO_MOVE: no support",
                .result(
                    number: 3,
                    name: "UFFDIO_MOVE: no support",
                    verdict: .skipped,
                    reason: "UFFDIO_MOVE: no support"
                )
            ),
            ("not ok 1 a # TODO later", .result(number: 1, name: "a", verdict: .skipped, reason: "TODO: later")),
            ("ok 1 a # TODO", .result(number: 1, name: "a", verdict: .passed, reason: "TODO")),
            ("ok 1 a # XFAIL known", .result(number: 1, name: "a", verdict: .skipped, reason: "XFAIL: known")),
            ("ok 1 a # XPASS fixed", .result(number: 1, name: "a", verdict: .passed, reason: "XPASS: fixed")),
            ("not ok 1 a # XPASS", .result(number: 1, name: "a", verdict: .failed, reason: "XPASS")),
            (
                "not ok 1 a # TIMEOUT 30 seconds",
                .result(number: 1, name: "a", verdict: .failed, reason: "TIMEOUT: 30 seconds")
            ),
            ("not ok 4 # error open", .result(number: 4, name: "open", verdict: .failed, reason: "ERROR: open")),
            (
                "ok 1 a # skipped by nobody",
                .result(number: 1, name: "a", verdict: .passed, reason: "skipped by nobody")
            ),
            ("ok 1 a \\# b # SKIP c", .result(number: 1, name: "a # b", verdict: .skipped, reason: "c")),
            ("ok 1 a\\b\\", .result(number: 1, name: "a\\b\\", verdict: .passed, reason: nil)),
            ("ok", .unknown("ok")),
            ("ok ", .unknown("ok ")),
            ("ok name", .unknown("ok name")),
            ("ok 1name", .unknown("ok 1name")),
            ("ok 99999999999999999999 a", .unknown("ok 99999999999999999999 a")),
            ("okay 1 a", .unknown("okay 1 a")),
            ("not  ok 1 a", .unknown("not  ok 1 a")),
            ("# text", .diagnostic("text")),
            ("#text", .diagnostic("text")),
            ("#  text", .diagnostic(" text")),
            ("#", .diagnostic("")),
            ("# running wp-sync.anon", .running(name: "wp-sync.anon")),
            ("# running out of memory", .diagnostic("running out of memory")),
            ("# running ", .diagnostic("running ")),
            ("Bail out! no userfaultfd", .bailOut("no userfaultfd")),
            ("Bail out!", .bailOut("")),
            ("", .unknown("")),
            ("  ok 1 a", .unknown("  ok 1 a")),
        ]
    )
    func line(_ line: String, _ event: KTAPEvent) {
        #expect(KTAPEvent(line: line) == event)
    }
}

@Suite("KTAP line splitter")
struct KTAPLineSplitterTests {
    @Test("LF and CR LF end a line, a lone CR does not")
    func ends() {
        var splitter = KTAPLineSplitter()
        #expect(splitter.split(Array("a\r\nb\rc\n\nd".utf8)).map(\.text) == ["a", "b\rc", ""])
        #expect(splitter.finish() == .init(text: "d", droppedBytes: 0, isTerminated: false))
        #expect(splitter.finish() == nil)
    }

    @Test("CR and LF in different chunks are one end of line")
    func splitEnd() {
        var splitter = KTAPLineSplitter()
        #expect(splitter.split(Array("a\r".utf8)).isEmpty)
        #expect(splitter.split(Array("\nb\n".utf8)).map(\.text) == ["a", "b"])
    }

    @Test("What is not UTF-8 becomes U+FFFD, and a character cut by a chunk stays whole")
    func utf8() {
        var splitter = KTAPLineSplitter()
        #expect(splitter.split([0x61, 0xFF, 0xC3]).isEmpty)
        #expect(splitter.split([0xA9, 0x0A]).map(\.text) == ["a\u{FFFD}é"])
    }

    @Test("Of a line without end only the start is kept")
    func bounded() {
        var splitter = KTAPLineSplitter()
        let chunk = [UInt8](repeating: UInt8(ascii: "x"), count: KTAPLineSplitter.limit / 2 + 1)
        for _ in 0..<64 { #expect(splitter.split(chunk).isEmpty) }
        let lines = splitter.split(Array("\nnext\n".utf8))
        #expect(lines.first?.text.utf8.count == KTAPLineSplitter.limit)
        #expect(lines.first?.droppedBytes == 64 * chunk.count - KTAPLineSplitter.limit)
        #expect(lines.last == .init(text: "next", droppedBytes: 0, isTerminated: true))
    }
}
