// SPDX-License-Identifier: GPL-2.0-only

import Testing

@testable import rwp

@Suite struct UsageTests {
    @Test(arguments: [
        ["--nonsense"], ["nonsense", "--base", "v7.2", "--frob"], ["test", "--base"], ["build", "--print", "nothing"],
        ["test", "--base", "v7.2", "--tree", "/linux"], ["test", "--in-place"], ["test", "--modules", "/m"],
        ["test", "--kernel", "/k", "--series", "none"], ["test", "--kernel", "/k", "--tree", "/linux"],
        ["test", "--kernel", "/k", "--set", "KSM=n"], ["test", "--kernel", "/k", "--flavor", "debug"],
        ["test", "--base", "latest"], ["test", "--repeat", "0"], ["test", "--repeat", "x"],
        ["test", "--timeout-scale", "0"], ["test", "--accel", "xen"], ["test", "--quiet", "--verbose"],
        ["kselftest"], ["kselftest", "../mm:cow"], ["kselftest", "mm:cow", "mm:migration", "--", "-f"],
        ["kselftest", "--", "-f"],
        ["kselftest", "mm:cow", "--series", "none", "--against", "stock"],
        ["kselftest", "mm:cow", "--timeout-scale", "0"],
        ["bench", "wp-fork"], ["bench", "--repeat", "0"], ["bench", "--series", "none", "--against", "stock"],
        ["build", "--set", "KSM"], ["build", "--flavor", "fast"], ["list", "--names", "--json"], ["fetch", "v7.2"],
    ])
    func usageErrorsExitTwoAndGoToStandardError(arguments: [String]) throws {
        let result = try Rwp.run(arguments)
        #expect(result.status == 2)
        #expect(result.output == "")
        #expect(result.error.hasPrefix("Error: "))
        #expect(result.error.contains("--help"))
    }

    @Test func contradictionsTellTheWayOut() throws {
        let both = try Rwp.run(["test", "--base", "v7.2", "--tree", "/linux"])
        #expect(both.error.contains("--base and --tree exclude each other: --tree is the source already"))
        let lonely = try Rwp.run(["test", "--modules", "/m"])
        #expect(lonely.error.contains("--modules means nothing without --kernel IMAGE: add"))
    }

    @Test(arguments: [
        "test", "build", "patch", "fetch", "list", "shell", "series", "mistakes", "report", "doctor", "kselftest",
        "bench",
    ])
    func helpHasExamples(command: String) throws {
        let result = try Rwp.run([command, "--help"])
        #expect(result.status == 0)
        #expect(result.error == "")
        #expect(result.output.contains("EXAMPLES"))
        #expect(result.output.contains("rwp \(command)"))
    }

    @Test func helpIsAsWideAsATerminal() throws {
        let result = try Rwp.run(["--help"], environment: ["COLUMNS": "80"])
        #expect(result.output.split(separator: "\n").allSatisfy { $0.count <= 80 })
    }

    @Test func aFolderThatIsNotTheProjectIsTheEnvironmentsFault() throws {
        let result = try Rwp.run(["series"], environment: ["RWP_ROOT": "/nonexistent"])
        #expect(result.status == 3)
        #expect(result.error.hasPrefix("rwp: RWP_ROOT is /nonexistent, which is not the uffd-rwp project"))
    }

    @Test(arguments: [
        (["test", "--machine", "x86-64"], "there is no machine 'x86-64' (did you mean 'x86_64'?)"),
        (["test", "--kernel", "/nonexistent/bzImage"], "--kernel names /nonexistent/bzImage, which is not there"),
        (
            ["kselftest", "mm:cow", "--against", "/nonexistent/bzImage"],
            "--against names /nonexistent/bzImage, which is not there"
        ),
        (["kselftest", "mm:cow", "--machine", "arm"], "there is no machine 'arm'"),
        (["build", "--config", "/nonexistent.config"], "/nonexistent.config"),
        (["patch", "--tree", "/nonexistent"], "/nonexistent"),
        (["series", "v0.1"], "v0.1"),
        (["report", "/nonexistent"], "/nonexistent"),
    ])
    func whatAnOptionNamesIsCheckedFirst(arguments: [String], message: String) throws {
        let result = try Rwp.run(arguments)
        #expect(result.status == 2)
        #expect(result.output == "")
        #expect(result.error.contains(message))
    }
}
