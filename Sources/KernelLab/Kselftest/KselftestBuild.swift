// SPDX-License-Identifier: GPL-2.0-only

import Foundation
import Synchronization
import SystemPackage

/// A selftest that is built.
public struct BuiltKselftest: Sendable, Hashable {
    /// Which it is.
    public var name: KselftestName
    /// Its program, linked statically.
    public var program: FilePath
    /// How long it may run, in seconds, before scaling.
    public var seconds: Int

    /// Makes a value; nothing is read.
    public init(name: KselftestName, program: FilePath, seconds: Int) {
        self.name = name
        self.program = program
        self.seconds = seconds
    }
}

/// Builds selftests of a kernel tree with the tree's own Makefiles and user-space headers.
///
/// The programs are linked statically (`USERLDFLAGS=-static` of `selftests/lib.mk`), as the machine that runs them has no
/// libraries. Each is kept under a key of its inputs: the tree, the compiler, the libraries.
public struct KselftestBuild: Sendable {
    /// The tree whose tests are built.
    public var source: SourceTree
    /// What for.
    public var architecture: any Architecture
    /// Where they are kept.
    public var cache: KernelCache
    /// Where progress goes.
    public var events: EventSink
    /// Where programs are looked for, if not on the environment's PATH.
    var searchPath: String?

    /// Describes a build; nothing is done yet.
    public init(source: SourceTree, architecture: any Architecture, cache: KernelCache, events: EventSink) {
        self.source = source
        self.architecture = architecture
        self.cache = cache
        self.events = events
    }

    /// Builds the tests, or finds them built, in the order of `names`.
    ///
    /// - Throws: `KselftestError`, `ToolError.missing`, `StorageError` for a full disk, `CancellationError`.
    public func build(_ names: [KselftestName]) async throws -> [BuiltKselftest] {
        let catalog = try KselftestCatalog(tree: source.path)
        for name in names { try catalog.check(name) }
        for path in [source.path, cache.root] where path.string.contains(where: { $0.isWhitespace || $0 == ":" }) {
            throw KernelBuildError.unusablePath(path)
        }
        let compiler = try Tool.find(architecture.toolPrefix + "gcc", searchPath: searchPath)
        let libraries = try await libraries(of: names, catalog, compiler)
        events.send(.started(.selftests, detail: names.map(\.description).joined(separator: ", ")))
        var built: [BuiltKselftest] = []
        var compiled = 0
        for name in names {
            let key = try await key(of: name, compiler, libraries[name] ?? [])
            let entry = try await entry(of: name, key)
            compiled += entry.isNew ? 1 : 0
            let seconds = catalog.seconds(for: name.collection)
            built.append(.init(name: name, program: entry.path.appending(name.test), seconds: seconds))
            events.send(.advanced(.selftests, done: built.count, total: names.count, unit: "tests"))
        }
        let count = names.count == 1 ? "1 test" : "\(names.count) tests"
        events.send(.finished(.selftests, detail: compiled == 0 ? "\(count), cached" : "\(count), \(compiled) built"))
        return built
    }

    // MARK: Libraries

    /// The static libraries' files of each test.
    private func libraries(
        of names: [KselftestName],
        _ catalog: KselftestCatalog,
        _ compiler: Tool
    ) async throws -> [KselftestName: [FilePath]] {
        var found: [KselftestName: [FilePath]] = [:]
        var missing: [KselftestLibrary] = []
        for name in names {
            for library in KselftestLibrary.needed(bySource: try catalog.source(of: name)) {
                if let file = try await file(of: library, compiler) {
                    found[name, default: []].append(file)
                } else if !missing.contains(library) {
                    missing.append(library)
                }
            }
        }
        guard missing.isEmpty else { throw KselftestError.missing(missing) }
        return found
    }

    /// The static library, where both it and its header are there.
    private func file(of library: KselftestLibrary, _ compiler: Tool) async throws -> FilePath? {
        // gcc answers with the bare name where it finds no file.
        let path = FilePath(
            try await compiler.capture(["-print-file-name=\(library.name).a"]).trimmingCharacters(in: .newlines)
        )
        let header = ["-fsyntax-only", "-include", library.header, "-x", "c", "/dev/null"]
        guard path.isAbsolute, try await compiler.status(header).isSuccess else { return nil }
        return path
    }

    // MARK: Entries

    private func key(of name: KselftestName, _ compiler: Tool, _ libraries: [FilePath]) async throws -> ContentKey {
        var hasher = ContentHasher()
        hasher.add("format", "1")
        hasher.add("source", source.identity)
        hasher.add("architecture", architecture.name)
        hasher.add("test", name.description)
        hasher.add("compiler", try await compiler.capture(["--version"]))
        for library in libraries {
            hasher.add("library", library.lastComponent?.string ?? "")
            try hasher.add("content", file: library)
        }
        return hasher.key
    }

    private func entry(of name: KselftestName, _ key: ContentKey) async throws -> KernelCache.Entry {
        let entryName = "\(name.collection.replacing("/", with: "_"))-\(name.test)-\(key.short)"
        return try await cache.entry(
            .selftests,
            name: entryName,
            what: "the selftest \(name)",
            events: events,
            isWhole: { FileManager.default.isExecutableFile(atPath: $0.appending(name.test).string) }
        ) { folder in
            let headers = try await headers()
            let stage = folder.appending("stage")
            defer { try? FileManager.default.removeItem(atPath: stage.string) }
            let shadow = try ShadowTree(of: source.path, collection: name.collection, in: stage)
            // kselftest's libraries make their folders in the output's, so that it must be there.
            try await make(
                [
                    "-C", shadow.collection.string, "OUTPUT=\(folder)", "KHDR_INCLUDES=-isystem \(headers)/usr/include",
                    "USERLDFLAGS=-static", folder.appending(name.test).string,
                ] + crossVariables,
                what: "the selftest \(name)",
                log: try log(entryName)
            )
        }
    }

    /// The user-space headers of the tree, which tests are compiled against; the folder that holds `usr/include`.
    private func headers() async throws -> FilePath {
        let key = ContentKey(["source": source.identity, "architecture": architecture.makeName])
        let entryName = "headers-\(source.version)-\(key.short)"
        let what = "the headers of Linux \(source.version)"
        return try await cache.entry(.selftests, name: entryName, what: what, events: events) { folder in
            let objects = folder.appending("objects")
            try FileManager.default.createDirectory(atPath: objects.string, withIntermediateDirectories: false)
            try await make(
                ["-C", source.path.string, "O=\(objects)", "ARCH=\(architecture.makeName)", "headers"],
                what: what,
                log: try log(entryName)
            )
            try FileManager.default.moveItem(
                atPath: objects.appending("usr").string,
                toPath: folder.appending("usr").string
            )
            try FileManager.default.removeItem(atPath: objects.string)
        }.path
    }

    private var crossVariables: [String] {
        guard !architecture.toolPrefix.isEmpty else { return [] }
        return ["ARCH=\(architecture.makeName)", "CROSS_COMPILE=\(architecture.toolPrefix)"]
    }

    /// Beside the entry: that is only there when all went well.
    private func log(_ entryName: String) throws -> FilePath {
        let log = try cache.folder(.selftests).appending(entryName + ".log")
        try Data().write(to: URL(fileURLWithPath: log.string))
        return log
    }

    private func make(_ arguments: [String], what: String, log: FilePath) async throws {
        var make = try Tool.find("make", searchPath: searchPath)
        make.environment.merge(KbuildEnvironment.changes) { $1 }
        if let searchPath { make.environment["PATH"] = searchPath }
        let output = BuildOutput(expected: 1, done: 0, events: .discarding)
        let last = Mutex(LastLines())
        let status = try await make.status(["--no-print-directory"] + arguments, log: log) { line in
            output.take(line)
            last.withLock { $0.append(line) }
        }
        if status.isSuccess { return }
        if output.errors.contains(where: { $0.contains("No space left on device") }) {
            throw StorageError.full(folder: cache.root, free: StorageError.freeBytes(at: cache.root) ?? 0)
        }
        let errors = output.errors.isEmpty ? last.withLock(\.lines) : output.errors
        throw KselftestError.build(what: what, status: status, errors: errors, log: log)
    }
}
