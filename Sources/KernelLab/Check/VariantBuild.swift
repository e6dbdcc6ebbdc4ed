// SPDX-License-Identifier: GPL-2.0-only

import Foundation
import SystemPackage

/// Compiles the commits of a working tree as one variant, in one folder of objects.
struct VariantBuild: Sendable {
    let variant: BuildVariant
    let tree: WorkingTree
    let records: BuildRecords
    private let tools: BuildTools
    private let toolVersions: String
    private let configuration: KernelConfiguration
    /// What must come out of Kconfig: what the variant is about.
    private let promises: KernelConfiguration
    /// Targets instead of the variant's, with W=1 and sparse.
    private let lintTargets: [String]?

    /// Finds the tools.
    ///
    /// - Parameters:
    ///   - folder: Where the variant's fragments are.
    ///   - lintTargets: Objects that are to be compiled with all warnings and given to sparse, instead of the variant's
    ///     targets; one that does not compile is left out.
    /// - Throws: `KernelBuildError.missing`, `KconfigError`.
    init(
        _ variant: BuildVariant,
        in tree: WorkingTree,
        fragments folder: FilePath,
        records: BuildRecords,
        lintTargets: [String]? = nil
    ) async throws {
        self.variant = variant
        self.tree = tree
        self.records = records
        self.lintTargets = lintTargets
        tools = try BuildTools(prefix: variant.toolPrefix, compiler: nil, searchPath: nil)
        toolVersions = try await tools.versions()
        var fragments: [KconfigFragment] = []
        for name in variant.fragments { fragments.append(try KconfigFragment(contentsOf: folder.appending(name))) }
        let settings = try KconfigFragment(settings: variant.set)
        configuration = KernelConfiguration(fragments: fragments + [settings])
        promises = KernelConfiguration(fragments: [settings, try KconfigFragment(settings: variant.expect)])
    }

    private var objects: FilePath { tree.objects(lintTargets == nil ? variant.name : variant.name + "-lint") }

    private func targets(isLast: Bool) -> [String] {
        lintTargets ?? (variant.targets + (isLast ? variant.lastTargets : []))
    }

    /// What the record of a build depends on.
    private func key(of commit: WorkingTree.Commit, isLast: Bool) -> ContentKey {
        ContentKey([
            "format": "1",
            "tree": commit.tree,
            "arch": variant.arch,
            "start": variant.start,
            "configuration": configuration.text,
            "promises": promises.text,
            "targets": targets(isLast: isLast).joined(separator: " "),
            "lint": lintTargets == nil ? "" : "W=1 C=1",
            "tools": toolVersions,
        ])
    }

    /// Where the build of the commit writes what it prints.
    func log(of commit: WorkingTree.Commit, isLast: Bool) -> FilePath {
        records.log(key(of: commit, isLast: isLast))
    }

    /// What is known of the commit; nil where it was not built yet.
    func record(of commit: WorkingTree.Commit, isLast: Bool) -> BuildRecord? {
        records.record(key(of: commit, isLast: isLast))
    }

    /// Compiles the commit and keeps what came of it.
    func build(_ commit: WorkingTree.Commit, isLast: Bool) async throws -> BuildRecord {
        let key = key(of: commit, isLast: isLast)
        let started = ContinuousClock.now
        try FileManager.default.createDirectory(atPath: objects.string, withIntermediateDirectories: true)
        try Data().write(to: URL(fileURLWithPath: records.log(key).string))
        try await tree.move(to: commit)
        let warnings = WarningLog(of: objects, checked: lintTargets != nil)
        var record = BuildRecord(warnings: [], errors: nil, seconds: 0)
        do {
            try await configure(commit, log: records.log(key))
            try await compile(targets(isLast: isLast), into: warnings, log: records.log(key))
        } catch KernelBuildError.configuration(let losses, _) {
            record.errors = losses.map(\.description)
        } catch KernelBuildError.make(_, _, let errors, _) {
            record.errors = errors
        } catch {
            throw StorageError.explaining(error, in: objects)
        }
        try warnings.save()
        record.warnings = warnings.warnings
        record.seconds = Int((.now - started).components.seconds)
        try records.save(record, key)
        return record
    }

    // MARK: Steps

    /// Makes `.config`, unless the one that is there was made of the same.
    private func configure(_ commit: WorkingTree.Commit, log: FilePath) async throws {
        let stamp = objects.appending("configured")
        let digest = try await tree.kconfigDigest(of: commit)
        let inputs = ContentKey(["kconfig": digest, "start": variant.start, "text": configuration.text]).hex
        if (try? String(contentsOfFile: stamp.string, encoding: .utf8)) == inputs { return }
        try? FileManager.default.removeItem(atPath: stamp.string)

        let requests = objects.appending("requests.config")
        try Data(configuration.text.utf8).write(to: URL(fileURLWithPath: requests.string))
        try await make([variant.start], environment: ["KCONFIG_ALLCONFIG": requests.string], log: log)
        let config = objects.appending(".config")
        if !variant.start.hasPrefix("all") {
            // Only all*config reads the requests; after any other start, the last line for a symbol counts.
            let text = try String(contentsOfFile: config.string, encoding: .utf8) + configuration.text
            try Data(text.utf8).write(to: URL(fileURLWithPath: config.string))
        }
        try await make(["olddefconfig"], log: log)
        let result = KernelConfig(parsing: try String(contentsOfFile: config.string, encoding: .utf8))
        let losses = promises.losses(in: result)
        // A symbol that a later patch brings is n before it.
        guard losses.isEmpty else { throw KernelBuildError.configuration(losses, tree: tree.path) }
        try await tools.check(for: result)
        try Data(inputs.utf8).write(to: URL(fileURLWithPath: stamp.string))
    }

    private func compile(_ targets: [String], into warnings: WarningLog, log: FilePath) async throws {
        guard lintTargets != nil else { return try await make(targets, warnings: warnings, log: log) }
        do {
            // What this configuration leaves out may not compile, and the variants' own builds say what must.
            try await make(targets, variables: ["--keep-going", "W=1", "C=1"], warnings: warnings, log: log)
        } catch KernelBuildError.make {
            return
        }
    }

    private func make(
        _ targets: [String],
        variables: [String] = [],
        environment: [String: String] = [:],
        warnings: WarningLog? = nil,
        log: FilePath
    ) async throws {
        var tool = tools.make
        tool.environment.merge(KbuildEnvironment.changes) { $1 }
        for (name, value) in environment { tool.environment[name] = value }
        let output = warnings ?? WarningLog(of: objects, checked: false)
        let jobs = ProcessInfo.processInfo.activeProcessorCount
        let status = try await tool.status(
            ["-C", tree.path.string, "O=\(objects)", "-j\(jobs)", "--no-print-directory", "--output-sync=target"]
                + makeVariables + variables + targets,
            log: log
        ) { output.take($0) }
        guard status.isSuccess else {
            throw KernelBuildError.make(
                target: targets.joined(separator: " "),
                status: status,
                errors: output.errors,
                log: log
            )
        }
    }

    private var makeVariables: [String] {
        let wrap = tools.ccache.map { "\($0.path) " } ?? ""
        return [
            "ARCH=\(variant.arch)", "CC=\(wrap)\(tools.compiler.path)", "HOSTCC=\(wrap)\(tools.hostCompiler.path)",
            "LOCALVERSION=",
        ] + (variant.toolPrefix.isEmpty ? [] : ["CROSS_COMPILE=\(variant.toolPrefix)"])
    }
}
