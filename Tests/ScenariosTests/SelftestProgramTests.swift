// SPDX-License-Identifier: GPL-2.0-only

import Foundation
import Testing
import Userfaultfd

/// The program itself as an ordinary command: children that crash, hang and leak are real.
@Suite struct SelftestProgramTests {
    private struct Result {
        var status: Int32
        var lines: [String]
        var error: String
    }

    /// The folder of a file that this process has mapped.
    private func folder(ofMapped suffix: String) throws -> String {
        // Foundation reads a file of /proc only in part, since its size is given as 0.
        let maps = try FileAccess.lines("/proc/self/maps")
        let line = try #require(maps.first { $0.hasSuffix(suffix) }, "\(suffix) is not mapped")
        let path = line[try #require(line.firstIndex(of: "/"))...]
        return String(path[..<(try #require(path.lastIndex(of: "/")))])
    }

    private func process(_ arguments: [String]) throws -> Process {
        let process = Process()
        process.executableURL = URL(filePath: try folder(ofMapped: ".xctest") + "/uffd-selftest")
        process.arguments = arguments
        // The program is linked dynamically here; the libraries are those of this process.
        process.environment = ["LD_LIBRARY_PATH": try folder(ofMapped: "/libswiftCore.so")]
        return process
    }

    private func run(_ arguments: String...) throws -> Result {
        let process = try process(arguments)
        let (output, error) = (Pipe(), Pipe())
        (process.standardOutput, process.standardError) = (output, error)
        try process.run()
        let text = String(decoding: try output.fileHandleForReading.readToEnd() ?? Data(), as: UTF8.self)
        let errorText = String(decoding: try error.fileHandleForReading.readToEnd() ?? Data(), as: UTF8.self)
        process.waitUntilExit()
        return Result(
            status: process.terminationStatus,
            lines: text.split(separator: "\n").map(String.init),
            error: errorText
        )
    }

    @Test func aPassIsAWholeStream() throws {
        let result = try run("harness-pass")
        #expect(result.status == 0)
        #expect(result.lines.first == "KTAP version 1")
        #expect(result.lines.contains("1..1"))
        #expect(result.lines.contains("# running harness-pass"))
        #expect(result.lines.contains("#   all is well"))
        #expect(result.lines.contains("ok 1 harness-pass"))
        #expect(result.lines.last == "# Totals: pass:1 fail:0 skip:0")
    }

    @Test(arguments: [
        ("harness-fail", "Harness.swift:"), ("harness-crash", "# FAIL process: SIGSEGV ended it"),
        ("harness-no-trap", "# FAIL traps: no trap was seen"),
        ("harness-hang", "# FAIL watchdog: not done after 1 s: killed"),
        ("harness-leak", "# FAIL leak: process"),
    ])
    func eachWayToFailIsNamed(name: String, expected: String) throws {
        let result = try run(name, "harness-pass")
        #expect(result.status == 1)
        #expect(result.lines.contains { $0.hasPrefix("# FAIL") && $0.contains(expected) }, "\(result.lines)")
        #expect(result.lines.contains { $0.hasPrefix("not ok") && $0.hasSuffix(name) })
        // The next one still runs.
        #expect(result.lines.contains { $0.hasPrefix("ok") && $0.hasSuffix("harness-pass") })
        #expect(result.lines.last == "# Totals: pass:1 fail:1 skip:0")
    }

    @Test func aSkipHasItsReason() throws {
        let result = try run("harness-skip")
        #expect(result.status == 0)
        #expect(result.lines.contains { $0.hasPrefix("ok 1 harness-skip # SKIP no /dev/uffd-selftest") })
    }

    @Test func whatBreaksTheMachineNeverRunsHere() throws {
        let result = try run("harness-splat", "harness-oops", "harness-panic", "harness-unkillable")
        #expect(result.status == 0)
        #expect(result.lines.last == "# Totals: pass:0 fail:0 skip:4")
    }

    @Test func repeatsCountAsOne() throws {
        let result = try run("--repeat", "3", "harness-pass")
        #expect(result.lines.count { $0 == "#   all is well" } == 3)
        #expect(result.lines.contains("1..1"))
        #expect(try run("--repeat", "3", "harness-fail").lines.contains("# failed in run 1 of 3"))
    }

    /// Runs shell commands as programs, each under its name.
    private func runPrograms(_ commands: KeyValuePairs<String, String>) throws -> Result {
        let list = FileManager.default.temporaryDirectory.appending(path: "list-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: list) }
        let lines = commands.map { "\($0.key)\t1\t/bin/sh\t-c\t\($0.value)\n" }
        try Data(lines.joined().utf8).write(to: list)
        return try run("--run", list.path)
    }

    @Test func programsRunLikeScenarios() throws {
        let result = try runPrograms([
            "a:pass": "echo ok 1 one; pwd", "a:fail": "exit 1", "a:skip": "exit 4", "a:crash": "kill -SEGV $$",
            "a:hang": "sleep 100 & wait", "a:leak": "sleep 100 > /dev/null 2>&1 & exit 0", "a:group": "kill -KILL 0",
            "a:many": "seq 300", "a:last": "echo \"$0 $#\"",
        ])
        let verdicts = result.lines.filter { $0.hasPrefix("ok") || $0.hasPrefix("not ok") }
        #expect(
            verdicts == [
                "ok 1 a:pass", "not ok 2 a:fail", "ok 3 a:skip # SKIP exit status 4", "not ok 4 a:crash",
                "not ok 5 a:hang", "ok 6 a:leak", "not ok 7 a:group", "ok 8 a:many", "ok 9 a:last",
            ]
        )
        #expect(result.status == 1)
        // What a program prints is no line of ours; it runs in its own folder.
        let folder = URL(filePath: "/bin").resolvingSymlinksInPath().path
        #expect(result.lines.contains("#   ok 1 one") && result.lines.contains("#   \(folder)"))
        #expect(result.lines.contains("# FAIL a:fail: exit status 1"))
        #expect(result.lines.contains("# FAIL a:crash: SIGSEGV ended it"))
        #expect(result.lines.contains("# FAIL watchdog: not done after 1 s: killed"))
        #expect(result.lines.contains("# FAIL a:group: SIGKILL ended it"))
        #expect(result.lines.contains("#   300"))
    }

    @Test func aProgramThatIsNotThereFails() throws {
        let list = FileManager.default.temporaryDirectory.appending(path: "list-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: list) }
        try Data("a:gone\t1\t/bin/no-such-program\n".utf8).write(to: list)
        let result = try run("--run", list.path)
        #expect(result.status == 1 && result.lines.contains("not ok 1 a:gone"))
        #expect(result.lines.contains { $0.contains("execution of /bin/no-such-program: ENOENT") }, "\(result.lines)")
    }

    @Test func sabotageOfTheStream() throws {
        let cut = try run("--harness-cut", "harness-pass")
        #expect(cut.status == 2)
        #expect(cut.lines.last == "ok 1 harness-")
        #expect(try run("--harness-badplan", "harness-pass").lines.contains("1..2"))
    }

    @Test(arguments: [
        (["--lsit"], "'--list'"), (["harness-psas"], "'harness-pass'"), (["--shell"], "PID 1"),
        (["--swap-mb=1"], "PID 1"),
    ])
    func usageErrors(arguments: [String], expected: String) throws {
        let process = try process(arguments)
        let (output, error) = (Pipe(), Pipe())
        (process.standardOutput, process.standardError) = (output, error)
        try process.run()
        let text = String(decoding: try error.fileHandleForReading.readToEnd() ?? Data(), as: UTF8.self)
        process.waitUntilExit()
        #expect(process.terminationStatus == 2)
        #expect(text.hasPrefix("uffd-selftest: ") && text.contains(expected))
        #expect(try output.fileHandleForReading.readToEnd() ?? Data() == Data())
    }

    @Test func theListHasFiveFields() throws {
        let result = try run("--list", "--all")
        #expect(result.status == 0)
        for line in result.lines {
            let fields = line.split(separator: "\t", omittingEmptySubsequences: false)
            #expect(fields.count == 5, "\(line)")
            #expect(fields.first?.isEmpty == false && fields.last?.isEmpty == false, "\(line)")
        }
        #expect(result.lines.contains { $0.hasPrefix("harness-pass\t") })
        #expect(try run("--list", "harness-skip").lines.count == 1)
    }

    @Test func ctrlCLeavesNothingBehind() throws {
        let process = try process(["--timeout-scale", "600", "harness-hang"])
        let output = Pipe()
        process.standardOutput = output
        try process.run()
        var text = ""
        while !text.contains("# running harness-hang\n") {
            let chunk = output.fileHandleForReading.availableData
            if chunk.isEmpty { break }
            text += String(decoding: chunk, as: UTF8.self)
        }
        process.interrupt()
        // The pipe ends when the last of them, the scenario's own child included, is gone.
        text += String(decoding: try output.fileHandleForReading.readToEnd() ?? Data(), as: UTF8.self)
        process.waitUntilExit()
        #expect(process.terminationStatus == 130)
        #expect(text.hasSuffix("Bail out! SIGINT ended the run\n"))
    }
}
