// SPDX-License-Identifier: GPL-2.0-only

import Foundation
import KernelLab
import SystemPackage

/// The folder of this project: what `rwp` reads at run time (patches, VM descriptions, the guest's sources) is there.
struct PackageRoot: Sendable, Equatable {
    let path: FilePath

    /// Where kernel series are: a folder a version.
    var kernelPatches: FilePath { path.appending("kernel-patches") }
    /// What VMs are made of.
    var qemuImages: FilePath { path.appending("qemu-images") }
    /// Kconfig fragments.
    var kernelConfigs: FilePath { qemuImages.appending("kernel") }
    /// Machine descriptions.
    var machines: FilePath { qemuImages.appending("machines") }

    /// Finds it: `RWP_ROOT`, else upwards from the executable, else upwards from the working directory.
    static func find(
        environment: [String: String] = ProcessInfo.processInfo.environment,
        executable: FilePath? = runningExecutable(),
        workingDirectory: FilePath = FilePath(FileManager.default.currentDirectoryPath)
    ) throws(PackageRootError) -> PackageRoot {
        if let named = environment["RWP_ROOT"], !named.isEmpty {
            let path = workingDirectory.pushing(FilePath(named)).lexicallyNormalized()
            guard isRoot(path) else { throw .notRoot(path) }
            return PackageRoot(path: path)
        }
        for start in [executable?.removingLastComponent(), workingDirectory].compactMap({ $0 }) {
            var folder = start
            repeat {
                if isRoot(folder) { return PackageRoot(path: folder) }
            } while folder.removeLastComponent()
        }
        throw .notFound
    }

    private static func isRoot(_ folder: FilePath) -> Bool {
        ["Package.swift", "kernel-patches", "qemu-images"].allSatisfy {
            FileManager.default.fileExists(atPath: folder.appending($0).string)
        }
    }

    /// The path of this program, its symbolic links resolved (proc_pid_exe(5)).
    static func runningExecutable() -> FilePath? {
        (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")).map { FilePath($0) }
    }
}

/// Why the project's folder is not there.
enum PackageRootError: LabError, Equatable {
    case notRoot(FilePath)
    case notFound

    var exitStatus: ExitStatus { .environment }

    var description: String {
        switch self {
        case .notRoot(let path):
            "RWP_ROOT is \(path), which is not the uffd-rwp project (no Package.swift, kernel-patches and qemu-images"
                + " in it): set it to the folder of a clone, or unset it"
        case .notFound:
            "the uffd-rwp project is neither above the rwp program nor above the working directory:"
                + " run rwp inside a clone of it, or set RWP_ROOT to one"
        }
    }
}
