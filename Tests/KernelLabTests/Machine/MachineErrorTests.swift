// SPDX-License-Identifier: GPL-2.0-only

import Foundation
import SystemPackage
import Testing

@testable import KernelLab

@Suite("Virtual machine: what keeps it from starting")
struct MachineErrorTests {
    /// The error that running a script in QEMU's place ends with.
    private func error(
        version: String = "QEMU emulator version 9.0.0",
        _ body: String = "",
        change: (inout VirtualMachine) -> Void = { _ in }
    ) async throws -> (any LabError)? {
        try await withTemporaryFolder { folder in
            var fake = try FakeQEMU(in: folder, version: version, body)
            change(&fake.machine)
            do {
                _ = try await fake.run()
                return nil
            } catch {
                return error as? any LabError
            }
        }
    }

    private func expect(_ error: (any LabError)?, _ status: KernelLab.ExitStatus, _ text: String) {
        #expect(error?.exitStatus == status)
        #expect(error?.description.contains(text) == true, "\(error.map { $0.description } ?? "no error")")
    }

    @Test("QEMU is missing")
    func missing() async throws {
        let error = try await error { $0.description.qemu.binary = "qemu-system-nowhere" }
        expect(error, .environment, "qemu-system-nowhere is not on PATH")
    }

    @Test("QEMU is too old, or no QEMU")
    func version() async throws {
        expect(
            try await error(version: "QEMU emulator version 6.2.0 (Debian 1:6.2)"),
            .environment,
            "is version 6.2.0, and 7.2 or later is needed"
        )
        expect(
            try await error(version: "frobnicator 1.0"),
            .environment,
            "does not answer as QEMU does: “frobnicator 1.0"
        )
    }

    @Test("QEMU refuses its arguments")
    func refused() async throws {
        let error = try await error("echo 'qemu: unsupported machine type' >&2; exit 1")
        expect(error, .environment, "qemu: unsupported machine type")
    }

    @Test("Kernel or initramfs is not there")
    func unreadable() async throws {
        expect(try await error { $0.kernel = "/nowhere/bzImage" }, .usage, "cannot read /nowhere/bzImage")
        expect(try await error { $0.initramfs = "/nowhere/initramfs" }, .usage, "cannot read /nowhere/initramfs")
    }

    @Test("Arguments that the kernel would cut, split or panic over")
    func commandLine() async throws {
        expect(try await error { $0.guestArguments = ["a\"b"] }, .usage, "has a double quote")
        expect(try await error { $0.guestArguments = [""] }, .usage, "is empty")
        expect(try await error { $0.guestArguments = ["a\nb"] }, .usage, "has a control character")
        expect(
            try await error { $0.guestArguments = Array(repeating: "a", count: 33) },
            .usage,
            "gets 35 arguments, and the kernel passes 32"
        )
        let long = String(repeating: "x", count: 2048)
        expect(try await error { $0.guestArguments = [long] }, .usage, "bytes, and 2047 fit")
    }

    @Test("The streams cannot be kept: no space, and no folder")
    func unwritable() async throws {
        let full = try await error("while :; do echo y; done >&3") { machine in
            // A console log on a device that is always full (full(4)).
            let work = machine.workDirectory.string
            try? FileManager.default.createDirectory(atPath: work, withIntermediateDirectories: true)
            try? FileManager.default.createSymbolicLink(
                atPath: "\(work)/console.log",
                withDestinationPath: "/dev/full"
            )
        }
        expect(full, .environment, "No space left on device; free some space")
        expect(try await error { $0.workDirectory = "/dev/null/work" }, .environment, "cannot write /dev/null/work")
    }
}

@Suite("QEMU's version")
struct QEMUVersionTests {
    @Test("What distributions print")
    func output() {
        func parse(_ text: String) -> String? { QEMUVersion(programOutput: text)?.description }
        #expect(parse("QEMU emulator version 7.2.22 (Debian 1:7.2+dfsg-7+deb12u18+b3)\nCopyright") == "7.2.22")
        #expect(parse("QEMU emulator version 9.2.0") == "9.2.0")
        #expect(parse("QEMU emulator version 10.0.2-rc1 (v10)") == "10.0.2")
        #expect(parse("qemu-img version 7.2") == nil)
        #expect(parse("QEMU emulator version") == nil)
        #expect(parse("") == nil)
    }

    @Test("Versions are ordered by their numbers")
    func order() throws {
        let versions = try ["6.2.99", "7.2", "7.2.22", "10.0"].map { try #require(QEMUVersion($0)) }
        #expect(versions == versions.shuffled().sorted())
        for text in ["", "7", "7.", "a.b", "7.2.2.2", "-7.2"] { #expect(QEMUVersion(text) == nil) }
    }
}
