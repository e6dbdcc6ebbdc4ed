// SPDX-License-Identifier: GPL-2.0-only

import Foundation
import SystemPackage
import Testing

@testable import KernelLab

/// The repository's own description of x86_64.
enum ShippedMachine {
    static let path = FilePath(#filePath).removingLastComponent().removingLastComponent().removingLastComponent()
        .removingLastComponent().appending("qemu-images/machines/x86_64.toml")

    static func text() throws -> String {
        try String(contentsOfFile: path.string, encoding: .utf8)
    }

    static func description() throws -> MachineDescription {
        try MachineDescription(path: path)
    }
}

@Suite("Machine description")
struct MachineDescriptionTests {
    @Test("The repository's x86_64 is what the scenarios need")
    func shipped() throws {
        let machine = try ShippedMachine.description()
        #expect(machine.architecture == "x86_64" && machine.cpus == 2 && machine.memoryMiB == 3712)
        #expect(machine.numaNodes.map(\.cpus) == [[0], [1]])
        #expect(machine.guest.arguments == ["--swap-mb=512", "--huge-pages=32"])
        #expect(machine.accelerators.kvm != nil && machine.accelerators.tcg != nil)
        #expect(machine.modules.required == ["zram"])
    }

    @Test("The machine for selftests has more CPUs, and what mm's tests ask for")
    func kselftest() throws {
        let path = ShippedMachine.path.removingLastComponent().appending("x86_64-kselftest.toml")
        let (machine, plain) = try (MachineDescription(path: path), ShippedMachine.description())
        // mm:migration skips everything on fewer than three CPUs or two nodes.
        #expect(machine.cpus == 4 && machine.numaNodes.map(\.cpus) == [[0, 1], [2, 3]])
        // The huge page of 1 GiB is for scenarios alone.
        #expect(machine.kernel.arguments + ["hugepagesz=1G", "hugepages=1:1"] == plain.kernel.arguments)
        #expect(machine.kernel.arguments.contains("proc_mem.force_override=always"))
        #expect(machine.modules == plain.modules && machine.guest == plain.guest && machine.limits == plain.limits)
    }

    /// The error of the shipped description with one text replaced by another.
    private func error(replacing old: String, with new: String) async throws -> DescriptionError? {
        let text = try ShippedMachine.text()
        let range = try #require(text.firstRange(of: old), "the description has no “\(old)” to replace")
        return try await error(of: text.replacingCharacters(in: range, with: new))
    }

    private func error(of text: String) async throws -> DescriptionError? {
        try await withTemporaryFolder { folder in
            let path = folder.appending("m.toml")
            try path.write(text)
            return #expect(throws: DescriptionError.self) { try MachineDescription(path: path) }
        }
    }

    /// The line of the shipped description that is `text`, or else begins with it.
    private func line(of text: String) throws -> Int {
        let lines = try ShippedMachine.text().split(separator: "\n", omittingEmptySubsequences: false)
        return try #require(lines.firstIndex { $0 == text } ?? lines.firstIndex { $0.hasPrefix(text) }) + 1
    }

    @Test(
        "A mistake is named with file, line and key",
        arguments: [
            ("cpus = 2", "cpu = 2", "cpus = 2", "unknown key “cpu”; did you mean “cpus”?"),
            (
                "swap-mib = 512", "swap-mb = 512", "swap-mib",
                "unknown key “guest.swap-mb”; did you mean “guest.swap-mib”?"
            ),
            (
                "cpus = [0]", "cpuz = [0]", "cpus = [0]",
                "unknown key “numa-node[0].cpuz”; did you mean “numa-node[0].cpus”?"
            ),
            ("[guest]", "[guests]", "[guest]", "unknown key “guests”; did you mean “guest”?"),
            (
                "cpus = 2", "cpus = 2\ncolour = 1", "memory-mib",
                "unknown key “colour”; qemu-images/README.md lists the keys"
            ),
            ("swap-mib = 512", "", "[guest]", "the key “guest.swap-mib” is missing"),
            ("cpus = 2", "cpus = \"two\"", "cpus = 2", "the value of “cpus” must be a whole number"),
            ("cpus = 2", "cpus = 2.5", "cpus = 2", "the value of “cpus” must be a whole number"),
            ("binary = \"qemu-system-x86_64\"", "binary = 7", "binary", "the value of “qemu.binary” must be a string"),
            ("cpus = [1]", "cpus = [\"1\"]", "cpus = [1]", "“numa-node[1].cpus” must be an array of whole numbers"),
            (
                "options = [\"thread=multi\"]", "options = \"thread=multi\"", "options",
                "“accelerator.tcg.options” must be an array of strings"
            ),
            ("cpus = 2", "cpus = 0", "cpus = 2", "“cpus” must be at least 1, not 0"),
            ("cpus = [1]", "cpus = [2]", "cpus = [1]", "“numa-node[1].cpus” has CPU 2, and the machine's are 0 to 1"),
            ("cpus = [1]", "cpus = [0]", "cpus = [1]", "“numa-node[1].cpus” has CPU 0, which numa-node[0] has already"),
            ("cpus = [1]", "cpus = []", "[[numa-node]]", "“numa-node” leaves CPU 1 without a node"),
            (
                "memory-mib = 3712", "memory-mib = 2000", "memory-mib",
                "“memory-mib” is 2000, and the nodes' memory adds up to 3712"
            ),
            ("minimum-version = \"7.2\"", "minimum-version = \"new\"", "minimum-version", "must be a version such as"),
            ("architecture = \"x86_64\"", "architecture = \"vax\"", "architecture", "must be one of x86_64, not “vax”"),
            (
                "boot-seconds = 90", "boot-seconds = -1", "boot-seconds",
                "“limits.boot-seconds” must be at least 1, not -1"
            ),
            ("swap-mib = 512", "swap-mib = -1", "swap-mib", "“guest.swap-mib” must not be negative"),
            ("console = \"ttyS0\"", "console = \"\"", "console", "“kernel.console” must not be empty"),
            ("\"printk.time=1\"", "\"--\"", "arguments = [", "must not have “--”"),
            ("\"printk.time=1\"", "'a\"b'", "arguments = [", "has a double quote"),
            ("cpus = 2", "cpus = ", "cpus = 2", "not TOML"),
            ("cpus = 2", "cpus = 2\ncpus = 3", "memory-mib", "not TOML"),
        ]
    )
    func mistake(_ old: String, _ new: String, _ place: String, _ message: String) async throws {
        let error = try #require(try await error(replacing: old, with: new))
        #expect(error.description.contains("m.toml:\(try line(of: place)): "), "\(error)")
        #expect(error.description.contains(message), "\(error)")
        #expect(error.exitStatus == .usage)
    }

    @Test("Without any accelerator there is no machine")
    func noAccelerator() async throws {
        let text = try ShippedMachine.text()
        let start = try #require(text.firstRange(of: "[accelerator.kvm]"))
        let end = try #require(text.firstRange(of: "[kernel]"))
        let cut = text.replacingCharacters(in: start.lowerBound..<end.lowerBound, with: "[accelerator]\n")
        let error = try await error(of: cut)
        #expect(error?.description.contains("“accelerator” must have kvm, tcg or both") == true)
    }

    @Test("A file that is not there, or not text, is named")
    func unreadable() async throws {
        try await withTemporaryFolder { folder in
            let missing = folder.appending("none.toml")
            let error = #expect(throws: DescriptionError.self) { try MachineDescription(path: missing) }
            #expect(error?.description.contains("none.toml: cannot read") == true)
            let binary = folder.appending("binary.toml")
            try Data([0xFF, 0xFE, 0x00]).write(to: URL(fileURLWithPath: binary.string))
            #expect(throws: DescriptionError.self) { try MachineDescription(path: binary) }
        }
    }
}
