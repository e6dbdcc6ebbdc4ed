// SPDX-License-Identifier: GPL-2.0-only

import Foundation
import SystemPackage

/// Builds a kernel and its modules from a source tree, once for each set of inputs.
///
/// Everything that the result depends on is in the key of its cache entry: source, architecture, configuration,
/// compiler and linker. Where the entry is there, make is not even started. Where a build was interrupted or failed,
/// its objects are there, and the next one goes on from them.
public struct KernelBuild: Sendable {
    /// What is built.
    public var source: SourceTree
    /// For which architecture.
    public var architecture: any Architecture
    /// What `.config` is to hold.
    public var configuration: KernelConfiguration
    /// The compiler's program; nil for gcc, with the architecture's cross prefix where it is needed.
    public var compiler: String?
    /// How many jobs make runs at once.
    public var jobs = ProcessInfo.processInfo.activeProcessorCount
    /// Where objects and results are kept.
    public var cache: KernelCache
    /// Where progress and notes go.
    public var events: EventSink
    /// The name of the folder of objects, for a tree of the cache that is built again and again; nil for objects that
    /// go when the kernel is built.
    var objectsName: String?
    /// Where programs are looked for, if not on the environment's PATH.
    var searchPath: String?

    /// Describes a build; nothing is done yet.
    public init(
        source: SourceTree,
        architecture: any Architecture,
        configuration: KernelConfiguration,
        compiler: String? = nil,
        cache: KernelCache,
        events: EventSink
    ) {
        self.source = source
        self.architecture = architecture
        self.configuration = configuration
        self.compiler = compiler
        self.cache = cache
        self.events = events
    }

    /// Builds the kernel, or finds it built.
    ///
    /// A cancelled build leaves no process behind and its objects in the cache.
    ///
    /// - Throws: `KernelBuildError`, `StorageError` for a full disk, `CancellationError`.
    public func build() async throws -> KernelImage {
        let tools = try BuildTools(prefix: architecture.toolPrefix, compiler: compiler, searchPath: searchPath)
        let key = try await key(of: tools)
        let name = "\(source.version)-\(architecture.name)-\(key.short)"
        let what = "Linux \(source.version) for \(architecture.name)"
        let entry = try await cache.entry(
            .kernels,
            name: name,
            what: what,
            events: events,
            isWhole: { BuiltKernel(folder: $0).isWhole }
        ) { folder in
            let objects = try await ObjectFolder(for: self, key: key)
            try await objects.use { path in
                try await KernelMake(build: self, tools: tools, objects: path).run(into: BuiltKernel(folder: folder))
            }
        }
        let kernel = BuiltKernel(folder: entry.path)
        if !entry.isNew {
            events.send(.started(.compile, detail: what))
            // Whether a symbol is required is not in the key: it makes no other kernel.
            try checkSurvival(in: KernelConfig(parsing: String(contentsOfFile: kernel.config.string, encoding: .utf8)))
            events.send(.finished(.compile, detail: "cached"))
        }
        return try kernel.kernelImage
    }

    /// Tells what Kconfig did not keep: a note for what is optional, an error for what is required.
    func checkSurvival(in config: KernelConfig) throws(KernelBuildError) {
        let losses = configuration.losses(in: config)
        guard !losses.isEmpty else { return }
        let known = KconfigSymbols.defined(in: source.path)
        let explained = losses.map {
            KconfigLoss(request: $0.request, value: $0.value, isKnown: known.contains($0.request.symbol))
        }
        for loss in explained where !loss.request.isRequired {
            events.send(.note("\(loss)"))
        }
        let required = explained.filter(\.request.isRequired)
        guard required.isEmpty else { throw .configuration(required, tree: source.path) }
    }

    private func key(of tools: BuildTools) async throws -> ContentKey {
        ContentKey([
            "format": "1",
            "source": source.identity,
            "version": source.version,
            "architecture": architecture.name,
            "configuration": configuration.text,
            "tools": try await tools.versions(),
        ])
    }
}

/// The folder of a kernel in the cache.
struct BuiltKernel: Sendable {
    let folder: FilePath

    var image: FilePath { folder.appending("image") }
    var config: FilePath { folder.appending("config") }
    var modules: FilePath { folder.appending("modules") }
    var genInitCpio: FilePath { folder.appending("gen_init_cpio") }
    var log: FilePath { folder.appending(KernelMake.logName) }
    /// The last file that is written.
    var release: FilePath { folder.appending("release") }

    /// Whether all of it is there.
    var isWhole: Bool {
        [image, config, genInitCpio, log, release].allSatisfy { FileManager.default.fileExists(atPath: $0.string) }
    }

    /// The value that the next steps take.
    var kernelImage: KernelImage {
        get throws {
            let hasModules = FileManager.default.fileExists(atPath: modules.string)
            return KernelImage(
                image: image,
                modules: hasModules ? modules : nil,
                config: config,
                genInitCpio: genInitCpio,
                release: try String(contentsOfFile: release.string, encoding: .utf8),
                log: log
            )
        }
    }
}
