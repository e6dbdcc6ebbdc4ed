// SPDX-License-Identifier: GPL-2.0-only

import Foundation
import KernelLab
import Synchronization
import SystemPackage

/// What `rwp doctor` found on this machine.
struct Checkup: Sendable {
    /// One thing that was looked for.
    struct Finding: Sendable, Equatable {
        var name: String
        /// Its version, or "yes"; nil where it is not there.
        var found: String?
        var purpose: String
        /// Whether `rwp test` cannot work without it.
        var isNeeded = true
        /// What to do where it is not there.
        var wayOut: String
    }

    var findings: [Finding]
    /// What runs the machine's CPUs, and why.
    var notes: [String]

    /// Whether all that is needed is there.
    var isHealthy: Bool { findings.allSatisfy { $0.found != nil || !$0.isNeeded } }

    /// Looks at this machine.
    static func of(root: PackageRoot) async throws -> Checkup {
        var findings: [Finding] = []
        for program in Programs.all { findings.append(await finding(of: program, isNeeded: true)) }
        for program in Programs.useful { findings.append(await finding(of: program, isNeeded: false)) }
        findings += try await libraries()
        findings += try await selftestLibraries()
        findings += resources(cache: KernelCache().root)
        let machine = try Lab(root: root, events: .discarding).machine(MachineOptions.defaultMachine)
        return Checkup(findings: findings, notes: [AcceleratorChoice.auto.verdict(for: machine)])
    }

    // MARK: Programs

    private static func finding(of program: RequiredProgram, isNeeded: Bool) async -> Finding {
        let tool = (try? Tool.find(program.name)) ?? (try? Tool.find(program.name, searchPath: "/usr/sbin:/sbin"))
        var found: String?
        if let tool { found = await version(of: tool) ?? "yes" }
        return Finding(
            name: program.name,
            found: found,
            purpose: program.purpose,
            isNeeded: isNeeded,
            wayOut: wayOut(package: program.package)
        )
    }

    private static func wayOut(package: String) -> String {
        package.contains(" ") ? "install \(package)" : "apt-get install \(package)"
    }

    /// The first version number that the program tells; nil for one that tells none.
    static func version(of tool: Tool) async -> String? {
        // swift prints its version on standard error, as old compilers do, so both streams are read.
        let text = Mutex("")
        _ = try? await tool.status(["--version"]) { line in text.withLock { $0 += line + "\n" } }
        return text.withLock { $0 }.firstMatch(of: #/\d+\.\d+[.\d]*/#).map { String($0.0) }
    }

    // MARK: Libraries

    /// Headers that a compiler must find, by the file that only their package has.
    private static func libraries() async throws -> [Finding] {
        let headers = [
            ("libelf", "gelf.h", "libelf-dev", "build objtool"),
            ("libssl", "openssl/evp.h", "libssl-dev", "build kernels that sign modules"),
        ]
        var findings: [Finding] = []
        for (name, header, package, purpose) in headers {
            let found = try await hasHeader(header) ? "yes" : nil
            findings.append(Finding(name: name, found: found, purpose: purpose, wayOut: wayOut(package: package)))
        }
        return findings
    }

    /// What 'rwp kselftest' links some tests with.
    private static func selftestLibraries() async throws -> [Finding] {
        var findings: [Finding] = []
        for library in KselftestLibrary.all {
            findings.append(
                Finding(
                    name: library.name,
                    found: try await hasHeader(library.header) ? "yes" : nil,
                    purpose: "build \(library.users)",
                    isNeeded: false,
                    wayOut: wayOut(package: library.package)
                )
            )
        }
        return findings
    }

    private static func hasHeader(_ name: String) async throws -> Bool {
        let gcc = try? Tool.find("gcc")
        return try await gcc?.status(["-fsyntax-only", "-include", name, "-x", "c", "/dev/null"]).isSuccess ?? false
    }

    // MARK: Resources

    private static func resources(cache: FilePath) -> [Finding] {
        let gigabyte = 1_000_000_000
        let disk = freeBytes(at: cache)
        let memory = availableMemory()
        return [
            Finding(
                name: "disk space",
                found: disk >= 8 * gigabyte ? "\(disk / gigabyte) GB free" : nil,
                purpose: "keep sources and kernels (8 GB in \(cache))",
                wayOut: "\(disk / gigabyte) GB are free there: make room, or set RWP_CACHE to a folder elsewhere"
            ),
            Finding(
                name: "memory",
                found: memory >= 5 * gigabyte ? "\(memory / gigabyte) GB available" : nil,
                purpose: "run the virtual machine (3.6 GiB) beside a build",
                wayOut:
                    "\(memory / gigabyte) GB are available: close something, or describe a smaller machine (--machine FILE)"
            ),
        ]
    }

    /// The free bytes where `folder` is or will be.
    private static func freeBytes(at folder: FilePath) -> Int {
        var folder = folder
        while !FileManager.default.fileExists(atPath: folder.string), folder.removeLastComponent() {}
        let attributes = try? FileManager.default.attributesOfFileSystem(forPath: folder.string)
        return (attributes?[.systemFreeSize] as? NSNumber)?.intValue ?? 0
    }

    /// MemAvailable of /proc/meminfo (proc_meminfo(5)), in bytes.
    private static func availableMemory() -> Int {
        let text = (try? String(contentsOfFile: "/proc/meminfo", encoding: .utf8)) ?? ""
        let kilobytes = text.firstMatch(of: #/MemAvailable:\s+(\d+) kB/#).flatMap { Int($0.1) }
        return (kilobytes ?? 0) * 1024
    }
}
