// SPDX-License-Identifier: GPL-2.0-only

import SystemPackage

/// What can go wrong when modules are looked for.
public enum ModuleError: LabError, Hashable {
    /// Neither a module nor built in; `neededBy` is the module that depends on it, nil if the machine asks for it.
    case unknown(module: String, neededBy: String?, folder: FilePath)
    /// The index has it, and its file is not there.
    case noFile(module: String, file: FilePath, neededBy: String?)
    /// Its file is no module, or damaged.
    case unreadable(module: String, file: FilePath, reason: String)
    /// depmod(8) has not indexed the folder.
    case notIndexed(folder: FilePath)
    /// `wanted` is not among the kernels whose modules are there; nil where none was named and there is not just one.
    case wrongRelease(root: FilePath, wanted: String?, found: [String])

    /// What was built or brought lacks something that the machine needs.
    public var exitStatus: ExitStatus { .environment }

    /// Which module, who needs it, where it was looked for, and the way out.
    public var description: String {
        switch self {
        case .unknown(let module, let parent, let folder):
            "module \(module)\(Self.need(parent)) is neither in \(folder) nor built into that kernel. Build the kernel "
                + "with it (rwp build --set \(module.uppercased())=m, if that is its Kconfig symbol), or name the "
                + "folder that has it (--modules DIR)"
        case .noFile(let module, let file, let parent):
            "module \(module)\(Self.need(parent)) should be \(file), which is not there. Install the modules again, "
                + "or run “depmod -b ROOT RELEASE” if they were moved"
        case .unreadable(let module, let file, let reason):
            "\(file) cannot be read as the module \(module): \(reason). Install the modules again"
        case .notIndexed(let folder):
            "\(folder) has no modules.dep that libkmod can read: run “depmod -b ROOT RELEASE” on it, where ROOT is the "
                + "folder that holds lib/modules"
        case .wrongRelease(let root, let wanted?, let found):
            "\(root) has no modules of kernel \(wanted) in lib/modules (\(Self.list(found))): name the folder of that "
                + "kernel's modules (--modules DIR)"
        case .wrongRelease(let root, nil, let found):
            "which modules of \(root) to take is not clear: it has no modules.dep, and its lib/modules has "
                + "\(Self.list(found)). Name one lib/modules/RELEASE (--modules DIR)"
        }
    }

    private static func need(_ parent: String?) -> String {
        parent.map { ", which \($0) depends on," } ?? ""
    }

    private static func list(_ releases: [String]) -> String {
        releases.isEmpty ? "there are none" : releases.joined(separator: ", ")
    }
}
