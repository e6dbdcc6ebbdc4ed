// SPDX-License-Identifier: GPL-2.0-only

import Foundation
import Glibc
import Synchronization
import SystemPackage
import Testing

@testable import KernelLab

/// Collects what a closure is called with.
final class Collected<Element: Sendable>: Sendable {
    private let storage = Mutex<[Element]>([])
    func append(_ element: Element) { storage.withLock { $0.append(element) } }
    var elements: [Element] { storage.withLock { $0 } }
}

@Suite struct ToolTests {
    let shell = Tool(path: "/bin/sh")

    @Test func findsProgramOnPath() throws {
        #expect(try Tool.find("sh", searchPath: "/nonexistent:/usr/bin:/bin").path.lastComponent?.string == "sh")
    }

    @Test func missingProgramNamesItsPackage() throws {
        let error = #expect(throws: ToolError.self) { try Tool.find("qemu-system-x86_64", searchPath: "/nonexistent") }
        #expect(error?.exitStatus == .environment)
        #expect(error?.description.contains("qemu-system-x86_64") == true)
        #expect(error?.description.contains("qemu-system-x86 ") == true)
        #expect(error?.description.contains("scripts/setup") == true)
    }

    @Test func folderOnPathIsNoProgram() async throws {
        try await withTemporaryFolder { folder in
            try folder.appending("git/x").write("")
            #expect(throws: ToolError.missing(program: "git")) { try Tool.find("git", searchPath: folder.string) }
        }
    }

    @Test func capturesStandardOutputAlone() async throws {
        #expect(try await shell.capture(["-c", "echo out; echo err >&2"]) == "out\n")
    }

    @Test func capturesMoreThanAPipeHolds() async throws {
        let output = try await shell.capture(["-c", "yes | head -c 300000"])
        #expect(output.utf8.count == 300_000)
    }

    @Test func boundsWhatItCaptures() async throws {
        await #expect(throws: ToolError.self) { try await shell.capture(["-c", "exec yes"], limit: 1000) }
    }

    @Test func streamsLinesOfBothOutputsInOrder() async throws {
        let lines = Collected<String>()
        try await shell.run(["-c", "echo one; echo two >&2; printf 'three\\rfour'"]) { lines.append($0) }
        #expect(lines.elements == ["one", "two", "three", "four"])
    }

    @Test func logsEverything() async throws {
        try await withTemporaryFolder { folder in
            let log = folder.appending("log")
            try await shell.run(["-c", "echo one; echo two >&2"], log: log)
            try await shell.run(["-c", "echo three"], log: log)
            #expect(try log.text() == "one\ntwo\nthree\n")
        }
    }

    @Test func unwritableLogIsAnError() async throws {
        let error = await #expect(throws: ToolError.self) {
            try await shell.run(["-c", "echo one"], log: "/dev/full")
        }
        #expect(error == .logNotWritten(log: "/dev/full", error: .noSpace))
    }

    @Test func failureCarriesCommandAndLastLines() async throws {
        let error = await #expect(throws: ToolError.self) {
            try await shell.run(["-c", "seq 1 30; echo it broke >&2; exit 7"])
        }
        guard case .failed(let command, let status, let lines, _) = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(command == "sh -c 'seq 1 30; echo it broke >&2; exit 7'")
        #expect(status == .exited(7))
        #expect(lines.count == 20)
        #expect(lines.last == "it broke")
    }

    @Test func failureOfCaptureCarriesStandardError() async throws {
        let error = await #expect(throws: ToolError.self) {
            try await shell.capture(["-c", "echo no >&2; kill -9 $$"])
        }
        guard case .failed(_, .signaled(SIGKILL), ["no"], _) = error else {
            Issue.record("\(String(describing: error))")
            return
        }
    }

    @Test func setsEnvironmentAndFolder() async throws {
        try await withTemporaryFolder { folder in
            var tool = shell
            tool.environment["ANSWER"] = "42"
            tool.environment["HOME"] = .some(nil)
            tool.workingDirectory = folder
            let output = try await tool.capture(["-c", "echo $ANSWER ${HOME-none} $LC_ALL; pwd -P"])
            let real = URL(fileURLWithPath: folder.string).resolvingSymlinksInPath().path
            #expect(output == "42 none C\n\(real)\n")
        }
    }

    @Test func programThatCannotStartIsAnError() async throws {
        let error = await #expect(throws: ToolError.self) { try await Tool(path: "/nonexistent/program").run([]) }
        #expect(error?.description.contains("could not start “program”") == true)
    }

    /// What make and its compilers are: a leader, and a grandchild that ignores SIGTERM; and what SwiftPM and its
    /// compilers are: each child in a process group of its own, as bash's "set -m" makes them, with a terminal or without.
    @Test(arguments: ["", "set -m;"])
    func cancellationEndsTheWholeSession(jobControl: String) async throws {
        var tool = Tool(path: "/bin/bash")
        tool.grace = .milliseconds(200)
        let lines = Collected<String>()
        let (started, starting) = AsyncStream.makeStream(of: Void.self)
        let script = """
            \(jobControl) sh -c 'trap "" TERM; echo "$$"; while :; do sleep 1000; done' &
            echo "$$"; wait
            """
        let task = Task { [tool] in
            try await tool.run(["-c", script]) { line in
                lines.append(line)
                if lines.elements.count == 2 { starting.finish() }
            }
        }
        for await _ in started {}
        let processes = lines.elements.compactMap { pid_t($0) }
        #expect(processes.count == 2)
        #expect(processes.allSatisfy { isRunning($0) })
        task.cancel()
        await #expect(throws: CancellationError.self) { try await task.value }
        #expect(!processes.contains { isRunning($0) })
        #expect(!isChild(processes.min() ?? 0), "the leader is reaped")
    }

    @Test func childThatOutlivesItsLeaderIsEnded() async throws {
        let output = try await shell.capture(["-c", "sleep 1000 >/dev/null 2>&1 & echo $!"])
        let child = try #require(pid_t(output.trimmingCharacters(in: .newlines)))
        #expect(!isRunning(child))
    }

    @Test func cancelledBeforeItStartsRunsNothing() async throws {
        try await withTemporaryFolder { folder in
            let file = folder.appending("made")
            let task = Task { [shell] in
                withUnsafeCurrentTask { $0?.cancel() }
                try await shell.run(["-c", "touch \(file)"])
            }
            await #expect(throws: CancellationError.self) { try await task.value }
            #expect(!file.exists)
        }
    }

    /// Whether a process runs: it exists and is no zombie.
    private func isRunning(_ process: pid_t) -> Bool {
        guard let stat = try? String(contentsOfFile: "/proc/\(process)/stat", encoding: .utf8) else { return false }
        return !stat.contains(") Z ")
    }

    /// Whether it is a child of ours, be it a zombie.
    private func isChild(_ process: pid_t) -> Bool {
        var info = siginfo_t()
        return waitid(P_PID, id_t(process), &info, WEXITED | WNOHANG | WNOWAIT) == 0
    }
}
