// SPDX-License-Identifier: GPL-2.0-only

import Foundation
import Testing

/// What the real program says and exits with when something outside of it is wrong.
@Suite final class FailureTests {
    private let lab: FakeLab
    private let test: [String]

    init() throws {
        lab = try FakeLab()
        test = ["test", "--tree", lab.tree, "--series", "none", "--accel", "tcg", "--results", "results"]
    }

    deinit { lab.remove() }

    private func machine(_ old: String, _ new: String) throws -> String {
        try lab.write("machine.toml", FakeLab.machine().replacingOccurrences(of: old, with: new))
        return lab.folder.appendingPathComponent("machine.toml").path
    }

    @Test func aMissingQEMUIsNamedWithItsPackage() throws {
        // On PATH is nothing but what the other steps need, wherever the machine has its own QEMU.
        for name in ["sh", "cp", "gcc", "ld", "sed", "sort", "comm", "cat", "mkdir", "chmod", "touch", "xz"] {
            let target = ["/usr/bin/", "/bin/"].map { $0 + name }.first(where: FileManager.default.fileExists)
            let link = lab.folder.appendingPathComponent("bin/\(name)").path
            try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: try #require(target))
        }
        let bin = lab.folder.appendingPathComponent("bin")
        try FileManager.default.removeItem(at: bin.appendingPathComponent("qemu-system-x86_64"))
        let result = try lab.run(test, environment: ["PATH": bin.path])
        #expect(result.status == 3)
        #expect(result.error.contains("qemu-system-x86_64 is not on PATH: install Debian's package qemu-system-x86"))
    }

    @Test func anOldQEMUIsNamedWithBothVersions() throws {
        let result = try lab.run(test, environment: ["QEMU_VERSION": "5.2.0"])
        #expect(result.status == 3)
        #expect(result.error.contains("is version 5.2.0, and 7.2 or later is needed"))
    }

    @Test func aKilledQEMUIsADeadMachine() throws {
        let result = try lab.run(test, environment: ["QEMU_DIES": "yes"])
        #expect(result.status == 5)
        #expect(result.output.contains("signal 9"), "\(result)")
        #expect(try lab.run(test).status == 0)
    }

    @Test func aPatchThatDoesNotApplyIsNamedWithFileAndReject() throws {
        try lab.write("series/0001-mm-no.patch", FakeLab.patch(of: "line 99"))
        let result = try lab.run(["patch", "--tree", lab.tree, "--series", "./series"])
        #expect(result.status == 4)
        #expect(result.output == "")
        for part in ["0001-mm-no.patch", "mm/memory.c", "-line 99"] { #expect(result.error.contains(part)) }
    }

    @Test func anUnknownScenarioIsAnsweredWithTheNearest() throws {
        let result = try lab.run(test + ["wp-forc"])
        #expect(result.status == 2)
        #expect(result.error.contains("wp-forc") && result.error.contains("wp-fork"), "\(result)")
    }

    @Test(arguments: [
        ("cpus = 2\n", "cpus = \"two\"\n", "cpus"), ("cpus = 2\n", "cpus = 2\nspeed = 3\n", "speed"),
        ("[qemu]", "[qemu", ""),
    ])
    func aBadMachineIsNamedWithLineAndKey(old: String, new: String, key: String) throws {
        let path = try machine(old, new)
        let line = try #require(
            try String(contentsOfFile: path, encoding: .utf8).split(separator: "\n", omittingEmptySubsequences: false)
                .firstIndex { $0.hasPrefix(key.isEmpty ? "[qemu" : key + " =") }
        )
        let result = try lab.run(test + ["--machine", path])
        #expect(result.status == 2)
        #expect(result.error.contains("machine.toml:\(line + 1)"), "\(result.error)")
        #expect(key.isEmpty || result.error.contains(key))
    }

    @Test func aTreeThatIsNoKernelIsRefused() throws {
        try lab.write("linux/Makefile", "all:\n")
        let result = try lab.run(test)
        #expect(result.status == 2)
        #expect(result.error.contains(lab.tree) && result.error.contains("VERSION"))
    }

    @Test func aDamagedArchiveIsNotUsed() throws {
        try lab.write("linux.tar.xz", "this is no archive")
        // gpgv, a fake here, lets it pass: tar must not. No apt-get: there is no second way.
        for name in ["apt-get", "apt-cache", "apt-config"] {
            try lab.write("bin/\(name)", "#!/bin/sh\nexit 1\n", executable: true)
        }
        let result = try lab.run(["fetch", "--base", "v7.2"])
        #expect(result.status == 3)
        #expect(result.error.contains("linux-7.2"), "\(result)")
    }

    @Test(.enabled(if: geteuid() == 0, "mounting takes root"))
    func aFullDiskIsNamed() throws {
        try lab.write("linux/mm/large.c", (0..<400_000).map { "\($0 &* 2_654_435_761)\n" }.joined())
        let cache = lab.folder.appendingPathComponent("cache").path
        try FileManager.default.createDirectory(atPath: cache, withIntermediateDirectories: true)
        try #require(mount("tmpfs", cache, "tmpfs", 0, "size=1m") == 0)
        defer { umount2(cache, Int32(MNT_DETACH)) }
        let result = try lab.run(["patch", "--tree", lab.tree])
        #expect(result.status == 3)
        #expect(result.error.contains(cache) && result.error.contains("no space is left"), "\(result)")
    }
}
