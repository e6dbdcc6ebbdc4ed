// SPDX-License-Identifier: GPL-2.0-only

import Foundation
import KernelLab
import SystemPackage

/// The steps from kernel source to a machine that can boot, each with the project's own folders filled in.
///
/// A command takes the steps that it needs, in its own order.
struct Lab: Sendable {
    var root: PackageRoot
    var cache = KernelCache()
    var events: EventSink

    /// The architecture that kernels are built for.
    var architecture: any Architecture { X8664() }

    // MARK: Kernel

    /// What to boot, with all checked that can be without making anything.
    func kernelPlan(_ options: KernelOptions) throws -> KernelPlan {
        if let image = options.kernel { return .brought(try broughtImage(image, modules: options.modules)) }
        return .built(try sourcePlan(options.source), try configuration(options.build))
    }

    /// The source that the kernel is to be built from; nil where it is not built.
    func tree(for plan: KernelPlan) async throws -> SourceTree? {
        switch plan {
        case .brought: nil
        case .built(let source, _): try await patchedTree(source)
        }
    }

    /// The kernel: built from the tree, found built, or the one that the user brought.
    func image(_ plan: KernelPlan, from tree: SourceTree?) async throws -> KernelImage {
        switch plan {
        case .brought(let image):
            return image
        case .built(let source, let configuration):
            let ready = if let tree { tree } else { try await patchedTree(source) }
            return try await KernelBuild(
                source: ready,
                architecture: architecture,
                configuration: configuration,
                cache: cache,
                events: events
            ).build()
        }
    }

    /// The kernel, and its source before it.
    func image(_ plan: KernelPlan) async throws -> KernelImage {
        try await image(plan, from: try await tree(for: plan))
    }

    private func broughtImage(_ image: String, modules: String?) throws(CommandLineError) -> KernelImage {
        for (path, option) in [(image, "--kernel"), (modules, "--modules")] {
            if let path, !FileManager.default.isReadableFile(atPath: path) {
                throw .unreadable(path, option: option)
            }
        }
        return KernelImage(image: FilePath(image), modules: modules.map { FilePath($0) })
    }

    /// What the kernel's `.config` is to hold.
    func configuration(_ options: BuildOptions) throws -> KernelConfiguration {
        try KernelConfiguration(
            folder: root.kernelConfigs,
            architecture: architecture,
            flavour: options.flavor,
            files: options.configs.map { FilePath($0) },
            settings: options.settings
        )
    }

    // MARK: Guest

    /// The program that runs the scenarios.
    func guestProgram() async throws -> FilePath {
        try await GuestProgram(packageRoot: root.path, cache: cache, events: events).build()
    }

    /// Packs the program and the modules that the machine wants.
    func initramfs(
        _ program: FilePath,
        for image: KernelImage,
        on machine: MachineDescription,
        adding extras: [Initramfs.ExtraFile] = [],
        links: [FilePath: FilePath] = [:]
    ) async throws -> Initramfs.Archive {
        let archive = Initramfs(
            program: program,
            modules: try modules(of: image, for: machine),
            extraFiles: extras,
            links: links
        )
        return try await archive.pack(with: try InitramfsPacker(for: image), cache: cache, events: events)
    }

    /// The modules that the machine requires, and the optional ones that this kernel has.
    ///
    /// A kernel without a folder of modules gets none: what it has is built in, and the guest says what is not there.
    private func modules(of image: KernelImage, for machine: MachineDescription) throws(ModuleError) -> ModuleSet {
        guard let folder = image.modules else { return .empty }
        var requests = machine.modules.required.map(ModuleRequest.init(parsing:))
        for request in machine.modules.optional.map(ModuleRequest.init(parsing:)) {
            do throws(ModuleError) {
                _ = try ModuleSet([request], in: folder, release: image.release)
                requests.append(request)
            } catch .unknown(_, neededBy: nil, folder: _) {
                continue
            }
        }
        return try ModuleSet(requests, in: folder, release: image.release)
    }

    // MARK: Machine

    /// The description that `--machine` names: a file under qemu-images/machines, or one of the user's.
    func machine(_ name: String) throws -> MachineDescription {
        if name.contains("/") || name.hasSuffix(".toml") {
            return try MachineDescription(path: FilePath(name))
        }
        let names = try FileManager.default.contentsOfDirectory(atPath: root.machines.string)
            .filter { $0.hasSuffix(".toml") }.map { String($0.dropLast(5)) }.sorted()
        guard names.contains(name) else {
            throw CommandLineError.unknownName(name, kind: "machine", known: names)
        }
        return try MachineDescription(path: root.machines.appending("\(name).toml"))
    }
}
