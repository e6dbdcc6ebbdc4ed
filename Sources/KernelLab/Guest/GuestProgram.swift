// SPDX-License-Identifier: GPL-2.0-only

import Foundation
import SystemPackage

/// Builds `uffd-selftest`, the program that a virtual machine runs as PID 1: Embedded Swift, linked statically.
///
/// The result is kept under a key of its sources and the toolchain; where it is there, SwiftPM is not started.
public struct GuestProgram: Sendable {
    /// The folder of the package: the one with Package.swift.
    public var packageRoot: FilePath
    /// Where the program is kept.
    public var cache: KernelCache
    /// Where progress goes.
    public var events: EventSink
    /// Where `swift` is looked for, if not on the environment's PATH.
    var searchPath: String?

    /// The name of the product.
    static let product = "uffd-selftest"

    /// What the program is made of. The host's sources do not count: editing them builds no new guest.
    static let sources = ["CUserfaultfd", "Userfaultfd", "Scenarios", product]

    /// Describes a build; nothing is done yet.
    public init(packageRoot: FilePath, cache: KernelCache, events: EventSink) {
        self.packageRoot = packageRoot
        self.cache = cache
        self.events = events
    }

    /// Builds the program, or finds it built, and returns its file.
    ///
    /// - Throws: `GuestProgramError` if it does not compile or the sources are not there; `ToolError.missing` without a
    ///   Swift toolchain; `StorageError` for a full disk; `CancellationError`.
    public func build() async throws -> FilePath {
        let swift = try Tool.find("swift", searchPath: searchPath)
        let key = try await key(for: swift)
        let entry = try await cache.entry(
            .guests,
            name: "\(Self.product)-\(key.short)",
            what: Self.product,
            events: events,
            isWhole: { FileManager.default.isExecutableFile(atPath: $0.appending(Self.product).string) }
        ) { folder in
            events.send(.started(.guest, detail: Self.product))
            let program = try await compile(with: swift)
            let copy = folder.appending(Self.product)
            try FileManager.default.copyItem(atPath: program.string, toPath: copy.string)
            events.send(.finished(.guest, detail: "\(Self.kilobytes(of: copy)) KB"))
        }
        let program = entry.path.appending(Self.product)
        if !entry.isNew {
            events.send(.started(.guest, detail: Self.product))
            events.send(.finished(.guest, detail: "cached, \(Self.kilobytes(of: program)) KB"))
        }
        return program
    }

    private func key(for swift: Tool) async throws -> ContentKey {
        var hasher = ContentHasher()
        hasher.add("swift", try await swift.capture(["--version"]))
        hasher.add("arguments", Self.arguments(packageRoot: "", scratch: "").joined(separator: " "))
        do {
            try hasher.add("Package.swift", file: packageRoot.appending("Package.swift"))
            for target in Self.sources {
                let folder = packageRoot.appending("Sources").appending(target)
                for name in try FileManager.default.subpathsOfDirectory(atPath: folder.string).sorted()
                where ["swift", "h", "c", "ld"].contains(FilePath(name).extension) {
                    try hasher.add("\(target)/\(name)", file: folder.pushing(FilePath(name)))
                }
            }
        } catch {
            throw GuestProgramError.noSources(packageRoot, reason: "\(error)")
        }
        return hasher.key
    }

    private func compile(with swift: Tool) async throws -> FilePath {
        // A build folder of its own: the host's is locked while `swift run` and `swift test` run.
        let scratch = packageRoot.appending(".build-guest")
        try FileManager.default.createDirectory(atPath: scratch.string, withIntermediateDirectories: true)
        let log = scratch.appending("guest-build.log")
        try Data().write(to: URL(fileURLWithPath: log.string))
        var swift = swift
        swift.workingDirectory = packageRoot
        let output = ErrorLines()
        do {
            try await swift.run(Self.arguments(packageRoot: packageRoot, scratch: scratch), log: log) { [events] line in
                output.take(line)
                // SwiftPM goes on in the same line when it is its turn: "execution...[0/1] Planning build".
                if line.hasPrefix("Another instance of SwiftPM") {
                    events.send(.note(line.replacing(#/\.\.\..*/#, with: "")))
                }
            }
        } catch ToolError.failed(let command, let status, let lastLines, _) {
            let failure = ToolError.failed(command: command, status: status, lastLines: lastLines, log: log)
            if let full = StorageError.explaining(failure, in: scratch) as? StorageError { throw full }
            throw GuestProgramError.compile(errors: output.lines.isEmpty ? lastLines : output.lines, log: log)
        }
        return scratch.appending("release").appending(Self.product)
    }

    private static func arguments(packageRoot: FilePath, scratch: FilePath) -> [String] {
        var link = ["-static", "-no-pie", "-fuse-ld=lld"].flatMap { ["-Xswiftc", "-Xclang-linker", "-Xswiftc", $0] }
        // Without its symbols it is less than half as large, and every boot unpacks it.
        // Each module's object has a copy of what it uses of the modules below: keep one, and none of what is unused.
        // Nothing in it unwinds its stack (gold would not take the script that says so), and nothing is relocated that were
        // to be read-only afterwards.
        let script = packageRoot.appending("Sources").appending(product).appending("guest.ld").string
        link += ["--gc-sections", "--icf=all", "--no-eh-frame-hdr", "-T", script, "-z", "norelro", "-s"]
            .flatMap { ["-Xlinker", $0] }
        return ["build", "--traits", "Guest", "--scratch-path", scratch.string, "-c", "release", "--product", product]
            + link
    }

    private static func kilobytes(of path: FilePath) -> Int {
        let size = try? FileManager.default.attributesOfItem(atPath: path.string)[.size] as? Int
        return (size ?? 0) / 1000
    }
}

/// What can go wrong when the guest program is built.
public enum GuestProgramError: LabError, Hashable {
    /// The folder has no package of ours.
    case noSources(FilePath, reason: String)
    /// It does not compile; `errors` are the compiler's lines.
    case compile(errors: [String], log: FilePath)

    /// The command was started in the wrong place, or the build failed.
    public var exitStatus: ExitStatus {
        switch self {
        case .noSources: .usage
        case .compile: .build
        }
    }

    /// What happened, and where to look.
    public var description: String {
        switch self {
        case .noSources(let root, let reason):
            "\(root) is not the folder of the uffd-rwp package (its Package.swift and the guest's Sources): \(reason)"
        case .compile(let errors, let log):
            "the guest program does not build:\n" + errors.map { "    \($0)\n" }.joined()
                + "Everything that the compiler printed is in \(log)."
        }
    }
}
