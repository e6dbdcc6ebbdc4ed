// SPDX-License-Identifier: GPL-2.0-only

import Foundation
import SystemPackage

/// One run of kbuild: configure, compile, install into an entry of the cache.
struct KernelMake: Sendable {
    let build: KernelBuild
    let tools: BuildTools
    /// kbuild's output folder (`O=`).
    let objects: FilePath

    private var source: SourceTree { build.source }
    private var log: FilePath { objects.appending(Self.logName) }
    private var files: FileManager { .default }

    /// The log's name, while it is built and afterwards.
    static let logName = "kernel-build.log"

    /// Builds, and puts what is worth keeping into `result`.
    func run(into result: BuiltKernel) async throws {
        try checkTree()
        let hadObjects = files.fileExists(atPath: objects.string)
        do {
            try files.createDirectory(atPath: objects.string, withIntermediateDirectories: true)
            try startLog()
            let config = try await configure()
            try await compile(config, resuming: hadObjects)
            try await install(config, into: result)
        } catch {
            throw StorageError.explaining(error, in: objects)
        }
    }

    // MARK: Steps

    private func checkTree() throws(KernelBuildError) {
        for path in [source.path, objects] where path.string.contains(where: { $0.isWhitespace || $0 == ":" }) {
            throw .unusablePath(path)
        }
        for name in ["Makefile", "Kconfig"] where !files.fileExists(atPath: source.path.appending(name).string) {
            throw .notATree(source.path)
        }
        for name in [".config", "include/config"]
        where files.fileExists(atPath: source.path.pushing(FilePath(name)).string) {
            throw .treeNotClean(source.path)
        }
    }

    /// A log is of one run: the last one's, which this continues, said what is no longer so.
    private func startLog() throws {
        try Data().write(to: URL(fileURLWithPath: log.string))
    }

    private func configure() async throws -> KernelConfig {
        build.events.send(.started(.configure, detail: "\(build.configuration.requests.count) symbols"))
        let requests = objects.appending("requests.config")
        try Data(build.configuration.text.utf8).write(to: URL(fileURLWithPath: requests.string))
        try await make(["allnoconfig"], environment: ["KCONFIG_ALLCONFIG": requests.string])
        try await make(["olddefconfig"])
        let config = KernelConfig(parsing: try text(of: objects.appending(".config")))
        try build.checkSurvival(in: config)
        try await tools.check(for: config)
        build.events.send(.finished(.configure, detail: "\(config.enabledCount) symbols on"))
        return config
    }

    private func compile(_ config: KernelConfig, resuming: Bool) async throws {
        let what = "Linux \(source.version)"
        build.events.send(.started(.compile, detail: tools.ccache == nil ? what : what + ", with ccache"))
        let record = ExpectedFiles(cache: build.cache, configuration: build.configuration)
        let output = BuildOutput(
            expected: record.count ?? ExpectedFiles.guess(from: config),
            done: resuming ? compiledFiles() : 0,
            events: build.events
        )
        var targets = [build.architecture.imageTarget]
        if config["MODULES"] == "y" { targets.append("modules") }
        try await make(targets, output: output)
        // A build that continued another counts from what it found, which is no exact number of files.
        if !resuming { record.save(output.done) }
        build.events.send(.finished(.compile, detail: "\(output.done) files"))
    }

    private func install(_ config: KernelConfig, into result: BuiltKernel) async throws {
        if config["MODULES"] == "y" {
            try await make(["modules_install"], variables: modulesInstall(into: result.modules))
            try removeLinks(in: result.modules)
        }
        try copy(objects.pushing(build.architecture.imagePath), to: result.image)
        try copy(objects.appending(".config"), to: result.config)
        try copy(objects.appending("System.map"), to: result.folder.appending("System.map"))
        try copy(objects.appending("vmlinux"), to: result.folder.appending("vmlinux"))
        try copy(objects.appending("usr").appending("gen_init_cpio"), to: result.genInitCpio)
        let release = try text(of: objects.pushing("include/config/kernel.release"))
        try copy(log, to: result.log)
        try Data(release.trimmingCharacters(in: .whitespacesAndNewlines).utf8)
            .write(to: URL(fileURLWithPath: result.release.string))
    }

    // MARK: Parts

    private func modulesInstall(into folder: FilePath) -> [String] {
        var variables = ["INSTALL_MOD_PATH=\(folder)", "INSTALL_MOD_STRIP=1"]
        if let depmod = tools.depmod { variables.append("DEPMOD=\(depmod.path)") }
        return variables
    }

    /// modules_install links to the tree that it came from, which may be gone tomorrow.
    private func removeLinks(in modules: FilePath) throws {
        let releases = modules.pushing("lib/modules")
        for release in try files.contentsOfDirectory(atPath: releases.string) {
            for link in ["build", "source"] {
                let path = releases.appending(release).appending(link).string
                if (try? files.attributesOfItem(atPath: path)) != nil { try files.removeItem(atPath: path) }
            }
        }
    }

    private func make(
        _ targets: [String],
        variables: [String] = [],
        environment: [String: String] = [:],
        output: BuildOutput? = nil
    ) async throws {
        var tool = tools.make
        tool.environment.merge(KbuildEnvironment.changes) { $1 }
        for (name, value) in environment { tool.environment[name] = value }
        if let searchPath = build.searchPath { tool.environment["PATH"] = searchPath }
        let output = output ?? BuildOutput(expected: 1, done: 0, events: .discarding)
        let status = try await tool.status(
            ["-C", source.path.string, "O=\(objects)", "-j\(build.jobs)", "--no-print-directory"]
                + makeVariables + variables + targets,
            log: log
        ) { output.take($0) }
        guard status.isSuccess else { throw failure(targets, status, output.errors) }
    }

    /// What kbuild is told on its command line, which wins over Makefiles and environment.
    private var makeVariables: [String] {
        let wrap = tools.ccache.map { "\($0.path) " } ?? ""
        var variables = [
            "ARCH=\(build.architecture.makeName)",
            "CC=\(wrap)\(tools.compiler.path)",
            "HOSTCC=\(wrap)\(tools.hostCompiler.path)",
            // Empty, not unset: setlocalversion then appends no "+" for a tree that is at no tag.
            "LOCALVERSION=",
        ]
        if !build.architecture.toolPrefix.isEmpty {
            variables.append("CROSS_COMPILE=\(build.architecture.toolPrefix)")
        }
        return variables
    }

    private func failure(_ targets: [String], _ status: ToolStatus, _ errors: [String]) -> any Error {
        if errors.contains(where: { $0.contains("No space left on device") || $0.contains("Disk quota exceeded") }) {
            return StorageError.full(folder: objects, free: StorageError.freeBytes(at: objects) ?? 0)
        }
        let lines = errors.isEmpty ? lastLines(of: log, count: 10) : errors
        return KernelBuildError.make(
            target: targets.joined(separator: " "),
            status: status,
            errors: lines,
            log: log
        )
    }

    /// How many files an earlier run compiled: the objects that it left.
    private func compiledFiles() -> Int {
        let names = files.enumerator(atPath: objects.string)
        var count = 0
        while let name = names?.nextObject() as? String {
            if name.hasSuffix(".o") { count += 1 }
        }
        return count
    }

    private func copy(_ path: FilePath, to destination: FilePath) throws {
        guard files.fileExists(atPath: path.string) else { throw KernelBuildError.noProduct(path, log: log) }
        try files.copyItem(atPath: path.string, toPath: destination.string)
    }

    private func text(of path: FilePath) throws -> String {
        guard let text = try? String(contentsOfFile: path.string, encoding: .utf8) else {
            throw KernelBuildError.noProduct(path, log: log)
        }
        return text
    }

    private func lastLines(of path: FilePath, count: Int) -> [String] {
        let text = (try? String(contentsOfFile: path.string, encoding: .utf8)) ?? ""
        return text.split(separator: "\n").suffix(count).map(String.init)
    }
}
