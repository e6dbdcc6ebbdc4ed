// SPDX-License-Identifier: GPL-2.0-only

import Foundation
import SystemPackage
import Testing

@testable import KernelLab

@Suite("Selftests in a real machine", .enabled(if: RealMachine.isThere, RealMachine.howTo))
struct RealKselftestTests {
    @Test("Programs that pass, fail, skip, crash and hang, and the tests in them")
    func verdicts() async throws {
        try await withTemporaryFolder { folder in
            let names = ["pass", "fail", "skip", "crash", "hang", "words"]
            let tests = try await build(names, in: folder)
            let list = tests.map { "\($0.name)\t\($0.seconds)\t/kselftest/demo/\($0.name.test)\tone\tt w o\n" }.joined()
            let run = try await VirtualMachine(
                description: try ShippedMachine.description(),
                kernel: try #require(RealMachine.kernel),
                initramfs: try await initramfs(with: tests, list: list, in: folder),
                guestArguments: ["--run=/kselftest/list"],
                workDirectory: folder.appending("work")
            ).run()
            #expect(run.end == .finished && run.suite.protocolErrors == [] && run.suite.isComplete)

            let suite = run.suite.expandingKselftests(Set(tests.map(\.name.description)))
            let verdicts = Dictionary(suite.scenarios.map { ($0.name, $0.verdict) }) { _, last in last }
            #expect(
                verdicts.filter { $0.key.hasPrefix("demo:") } == [
                    "demo:pass/one": .passed, "demo:pass/two": .passed, "demo:pass": .passed,
                    "demo:fail/one": .passed, "demo:fail/two": .failed, "demo:fail": .failed, "demo:skip": .skipped,
                    "demo:crash/one": .passed, "demo:crash": .failed, "demo:hang/one": .passed, "demo:hang": .failed,
                    "demo:words/one": .passed, "demo:words/t w o": .passed, "demo:words": .passed,
                ]
            )
            let reasons = Dictionary(suite.scenarios.map { ($0.name, $0.reason) }) { _, last in last }
            #expect(reasons["demo:skip"] == "not today")
            #expect(reasons["demo:crash"]??.hasSuffix("demo:crash: SIGSEGV ended it") == true)
            #expect(reasons["demo:hang"]??.hasSuffix("watchdog: not done after 2 s: killed") == true)
        }
    }

    private func build(_ names: [String], in folder: FilePath) async throws -> [BuiltKselftest] {
        let tree = folder.appending("tree")
        try FakeSelftests.write(to: tree)
        let build = KselftestBuild(
            source: SourceTree(path: tree, version: "7.2.13", identity: "demo"),
            architecture: X8664(),
            cache: KernelCache(root: folder.appending("cache")),
            events: .discarding
        )
        return try await build.build(try names.map { try KselftestName(parsing: "demo:\($0)") })
    }

    /// The initramfs with the guest program, and an archive behind it: the kernel unpacks one after the other
    /// (`Documentation/driver-api/early-userspace/buffer-format.rst`).
    private func initramfs(with tests: [BuiltKselftest], list: String, in folder: FilePath) async throws -> FilePath {
        let stage = folder.appending("stage")
        try stage.appending("kselftest/list").write(list)
        let programs = stage.pushing("kselftest/demo")
        try FileManager.default.createDirectory(atPath: programs.string, withIntermediateDirectories: true)
        for test in tests {
            let copy = programs.appending(test.name.test)
            try FileManager.default.copyItem(atPath: test.program.string, toPath: copy.string)
        }
        let both = folder.appending("both.cpio")
        var shell = Tool(path: "/bin/sh")
        shell.workingDirectory = stage
        try await shell.run([
            "-c", "{ cat \"$0\"; find . | cpio --quiet -o -H newc; } > \"$1\"",
            try #require(RealMachine.initramfs).string,
            both.string,
        ])
        return both
    }
}
