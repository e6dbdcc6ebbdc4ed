// SPDX-License-Identifier: GPL-2.0-only

import Foundation
import SystemPackage

/// A module that a machine wants loaded, as a line of its description writes it: "kvm_amd nested=0".
public struct ModuleRequest: Sendable, Hashable {
    /// The module's name or an alias; "-" and "_" are the same.
    public var name: String
    /// Its parameters, as insmod(8) takes them; empty for none.
    public var options: String

    /// Makes a request.
    public init(name: String, options: String = "") {
        self.name = name
        self.options = options
    }

    /// Reads "NAME OPTIONS…".
    public init(parsing text: String) {
        let words = text.split(separator: " ", maxSplits: 1).map(String.init)
        self.init(name: words.first ?? "", options: words.count > 1 ? words[1] : "")
    }
}

/// The modules to pack for a machine, in the order in which they load.
public struct ModuleSet: Sendable, Hashable {
    /// A module that is a file.
    public struct Module: Sendable, Hashable {
        /// The name, with underscores.
        public var name: String
        /// The file, perhaps compressed.
        public var path: FilePath
        /// Its parameters; empty for none.
        public var options: String
    }

    /// The modules; each stands behind all that it depends on. What is built into the kernel is not here.
    public var modules: [Module]

    /// No modules.
    public static let empty = ModuleSet(modules: [])

    /// Lets libkmod name what `requests` need.
    ///
    /// Hard and soft dependencies are followed to their ends. Names of modules that are built in need no file.
    ///
    /// - Parameters:
    ///   - requests: What the machine wants, in the order wanted.
    ///   - root: Where `make modules_install` put the modules, or a `lib/modules/RELEASE` itself.
    ///   - release: `uname -r` of the kernel; nil where `root` holds the modules of one kernel only.
    /// - Throws: `ModuleError`.
    public init(_ requests: [ModuleRequest], in root: FilePath, release: String? = nil) throws(ModuleError) {
        guard !requests.isEmpty else {
            self = .empty
            return
        }
        let folder = try ModuleFolder.find(in: root, release: release)
        var resolver = ModuleResolver(kmod: try Kmod(folder: folder), folder: folder)
        for request in requests {
            try resolver.add(request)
        }
        modules = resolver.order.map { module in
            Module(name: module.name, path: module.path, options: resolver.options[module.name] ?? "")
        }
    }

    /// Lets libkmod name what `requests` need of the modules of `image`.
    ///
    /// Of a kernel that was brought without modules nothing is known: nothing is packed then, and a note says so.
    ///
    /// - Throws: `ModuleError`.
    public init(_ requests: [ModuleRequest], for image: KernelImage, events: EventSink) throws(ModuleError) {
        if let modules = image.modules {
            self = try ModuleSet(requests, in: modules, release: image.release)
            return
        }
        self = .empty
        guard !requests.isEmpty else { return }
        let names = requests.map(\.name).joined(separator: ", ")
        events.send(.note("no folder of modules for \(image.image): not packed, unless built in: \(names)"))
    }

    init(modules: [Module]) {
        self.modules = modules
    }
}

/// Walks dependencies, depth first.
private struct ModuleResolver {
    let kmod: Kmod
    let folder: FilePath
    private(set) var order: [(name: String, path: FilePath)] = []
    private(set) var options: [String: String] = [:]
    private var seen: Set<String> = []

    init(kmod: Kmod, folder: FilePath) {
        self.kmod = kmod
        self.folder = folder
    }

    mutating func add(_ request: ModuleRequest) throws(ModuleError) {
        let modules = try kmod.lookUp(request.name)
        guard !modules.isEmpty else { throw .unknown(module: request.name, neededBy: nil, folder: folder) }
        for module in modules {
            if !request.options.isEmpty { options[module.name] = request.options }
            try visit(module, neededBy: nil)
        }
    }

    private mutating func visit(_ module: Kmod.Module, neededBy parent: String?) throws(ModuleError) {
        // Soft dependencies may form circles; who is met again is loaded, or about to be.
        guard seen.insert(module.name).inserted, let path = module.path else { return }
        guard FileManager.default.fileExists(atPath: path.string) else {
            throw .noFile(module: module.name, file: path, neededBy: parent)
        }
        for name in module.softBefore { try visitSoft(name, neededBy: module.name) }
        // The index and the file agree, unless depmod ran when a file was missing: then only the file knows.
        for name in module.dependencies + module.declaredDependencies {
            let dependencies = try kmod.lookUp(name)
            guard !dependencies.isEmpty else {
                throw .unknown(module: name, neededBy: module.name, folder: folder)
            }
            for dependency in dependencies { try visit(dependency, neededBy: module.name) }
        }
        order.append((module.name, path))
        for name in module.softAfter { try visitSoft(name, neededBy: module.name) }
    }

    /// A soft dependency that is not there is none: modprobe.d(5).
    private mutating func visitSoft(_ name: String, neededBy parent: String) throws(ModuleError) {
        for module in try kmod.lookUp(name) {
            try visit(module, neededBy: parent)
        }
    }
}

/// Finds the folder that depmod indexed.
private enum ModuleFolder {
    static func find(in root: FilePath, release: String?) throws(ModuleError) -> FilePath {
        if isIndexed(root) { return root }
        let releases = root.pushing("lib/modules")
        let names = ((try? FileManager.default.contentsOfDirectory(atPath: releases.string)) ?? []).sorted()
        if let release {
            guard names.contains(release) else {
                throw .wrongRelease(root: root, wanted: release, found: names)
            }
            return releases.appending(release)
        }
        guard let name = names.first, names.count == 1 else {
            throw .wrongRelease(root: root, wanted: nil, found: names)
        }
        return releases.appending(name)
    }

    private static func isIndexed(_ folder: FilePath) -> Bool {
        ["modules.dep", "modules.dep.bin"].contains {
            FileManager.default.fileExists(atPath: folder.appending($0).string)
        }
    }
}
