// SPDX-License-Identifier: GPL-2.0-only

import CKmod
import Foundation
import SystemPackage

/// libkmod, asked about one folder of modules and never about the machine it runs on.
///
/// The handles of the library stay in this file: they are released before a call returns, and what leaves is plain
/// values. Not thread-safe, like the library; use it where it is made.
final class Kmod {
    /// A module, as the folder's indexes describe it.
    struct Module {
        /// The name, with underscores.
        var name: String
        /// Its file; nil for one that is built into the kernel.
        var path: FilePath?
        /// What must be loaded before it, as modules.dep says.
        var dependencies: [String] = []
        /// What its file itself says that it depends on (its `depends=`), whether the indexes know it or not.
        var declaredDependencies: [String] = []
        /// What should be loaded before it, where it exists ("softdep … pre:").
        var softBefore: [String] = []
        /// What should be loaded after it, where it exists ("softdep … post:").
        var softAfter: [String] = []
    }

    private let context: OpaquePointer

    /// Opens `folder`, a `lib/modules/RELEASE` that depmod(8) has indexed.
    ///
    /// - Throws: `ModuleError.notIndexed` where libkmod cannot read the indexes.
    init(folder: FilePath) throws(ModuleError) {
        // No configuration folders: the options and blacklists in the machine's /etc/modprobe.d are not the guest's.
        let context = withUnsafePointer(to: UnsafePointer<CChar>?.none) { noConfiguration in
            kmod_new(folder.string, noConfiguration)
        }
        guard let context else { throw .notIndexed(folder: folder) }
        // From here on deinit releases it, also if this throws.
        self.context = context
        kmod_set_log_fn(context, { _, _, _, _, _, _, _ in }, nil)
        guard kmod_load_resources(context) >= 0 else { throw .notIndexed(folder: folder) }
    }

    deinit {
        kmod_unload_resources(context)
        kmod_unref(context)
    }

    /// The modules that a name or an alias stands for; empty if the folder knows none.
    func lookUp(_ name: String) throws(ModuleError) -> [Module] {
        var list: OpaquePointer?
        let status = kmod_module_new_from_lookup(context, name, &list)
        defer { kmod_module_unref_list(list) }
        guard status >= 0 else { return [] }
        var modules: [Module] = []
        for entry in entries(list) {
            guard let handle = kmod_module_get_module(entry) else { continue }
            defer { kmod_module_unref(handle) }
            modules.append(try describe(handle))
        }
        return modules
    }
}

// MARK: - Reading handles

extension Kmod {
    private func describe(_ handle: OpaquePointer) throws(ModuleError) -> Module {
        var module = Module(name: String(cString: kmod_module_get_name(handle)))
        // Of a module that is not built in, this asks the machine's /sys; only the answer of the index counts.
        if kmod_module_get_initstate(handle) == Int32(KMOD_MODULE_BUILTIN.rawValue) { return module }
        guard let path = kmod_module_get_path(handle) else { return module }
        module.path = FilePath(String(cString: path))
        module.dependencies = takeNames(kmod_module_get_dependencies(handle))
        var before: OpaquePointer?
        var after: OpaquePointer?
        if kmod_module_get_softdeps(handle, &before, &after) >= 0 {
            module.softBefore = takeNames(before)
            module.softAfter = takeNames(after)
        }
        // A file that is not there is for the caller to report, who knows what needs it.
        if FileManager.default.fileExists(atPath: String(cString: path)) {
            module.declaredDependencies = try declaredDependencies(of: handle, module)
        }
        return module
    }

    private func declaredDependencies(
        of handle: OpaquePointer,
        _ module: Module
    ) throws(ModuleError) -> [String] {
        var list: OpaquePointer?
        let status = kmod_module_get_info(handle, &list)
        defer { kmod_module_info_free_list(list) }
        guard status >= 0 else {
            throw .unreadable(module: module.name, file: module.path ?? "", reason: "\(Errno(rawValue: -status))")
        }
        for entry in entries(list) where String(cString: kmod_module_info_get_key(entry)) == "depends" {
            return String(cString: kmod_module_info_get_value(entry)).split(separator: ",").map(String.init)
        }
        return []
    }

    /// The names in a list of modules, which is released.
    private func takeNames(_ list: OpaquePointer?) -> [String] {
        defer { kmod_module_unref_list(list) }
        return entries(list).compactMap { entry in
            guard let handle = kmod_module_get_module(entry) else { return nil }
            defer { kmod_module_unref(handle) }
            return String(cString: kmod_module_get_name(handle))
        }
    }

    private func entries(_ list: OpaquePointer?) -> [OpaquePointer] {
        var entries: [OpaquePointer] = []
        var entry = list
        while let current = entry {
            entries.append(current)
            entry = kmod_list_next(list, current)
        }
        return entries
    }
}
