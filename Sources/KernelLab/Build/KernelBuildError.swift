// SPDX-License-Identifier: GPL-2.0-only

import SystemPackage

/// What can go wrong when a kernel is configured and built.
public enum KernelBuildError: LabError, Hashable {
    /// Programs or headers that the build needs are not on this machine.
    case missing([BuildRequirement])
    /// The folder of the tree holds a build of its own, which kbuild refuses to build beside.
    case treeNotClean(FilePath)
    /// kbuild cannot work in a folder of this name.
    case unusablePath(FilePath)
    /// The folder is no kernel tree.
    case notATree(FilePath)
    /// Kconfig did not keep what fragments require.
    case configuration([KconfigLoss], tree: FilePath)
    /// make failed; `errors` are the lines that say why.
    case make(target: String, status: ToolStatus, errors: [String], log: FilePath)
    /// make ended well and its product is not there.
    case noProduct(FilePath, log: FilePath)

    /// The machine lacks something, the command line names a wrong tree, or the kernel does not build.
    public var exitStatus: ExitStatus {
        switch self {
        case .missing, .unusablePath: .environment
        case .treeNotClean, .notATree: .usage
        case .configuration, .make, .noProduct: .build
        }
    }

    /// What happened, to what, and the way out.
    public var description: String {
        switch self {
        case .missing(let requirements):
            let list = requirements.map { "\n    \($0.name), needed to \($0.purpose): package \($0.package)" }.joined()
            let packages = Set(requirements.map(\.package)).sorted().joined(separator: " ")
            // What only other architectures and the checks of a series need is installed when it is asked for.
            let isExtra = packages.contains("sparse") || packages.contains("-linux-gnu")
            let setup = isExtra ? "scripts/setup --matrix" : "scripts/setup"
            return "building the kernel needs what this machine lacks:\(list)\n"
                + "Install it: apt-get install \(packages) (\(setup) installs all that is needed)."
        case .treeNotClean(let tree):
            return "\(tree) holds a kernel built in place, and a build outside of a tree needs a clean one: "
                + "run “make mrproper” there (it deletes .config; keep a copy)"
        case .unusablePath(let path):
            return "kbuild cannot work in “\(path)”, because of a blank or colon in the name: "
                + "rename the folder, or set RWP_CACHE to another one"
        case .notATree(let tree):
            return "\(tree) is no kernel source: there is no Makefile and Kconfig in it"
        case .configuration(let losses, let tree):
            return "Kconfig of \(tree) did not keep \(losses.count) of the symbols that the fragments require:\n"
                + losses.map { "    \($0)\n" }.joined()
                + "Correct the lines, or put them under a comment that begins with “# optional”."
        case .make(let target, let status, let errors, let log):
            return "“make \(target)” \(status):\n" + errors.map { "    \($0)\n" }.joined()
                + "Everything that it printed is in \(log)."
        case .noProduct(let path, let log):
            return "make ended well and did not make \(path); what it printed is in \(log)"
        }
    }
}
