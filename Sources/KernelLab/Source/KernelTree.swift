// SPDX-License-Identifier: GPL-2.0-only

import Foundation
import SystemPackage

/// Reads what a folder says about the kernel that it holds.
enum KernelTree {
    /// The version that the top-level Makefile states: "7.2.13", "7.3.0-rc4".
    ///
    /// - Throws: `SourceError.notAKernelTree`.
    static func version(of path: FilePath) throws(SourceError) -> String {
        let makefile = path.appending("Makefile")
        guard FileManager.default.fileExists(atPath: makefile.string) else {
            let reason =
                FileManager.default.fileExists(atPath: path.string) ? "it has no Makefile" : "it does not exist"
            throw .notAKernelTree(path, reason: reason)
        }
        guard let text = try? String(contentsOfFile: makefile.string, encoding: .utf8) else {
            throw .unreadable(tree: path, reason: "\(makefile) cannot be read")
        }
        // The assignments stand at the top; a Makefile of something else may be of any length.
        var values: [String: String] = [:]
        for line in text.split(separator: "\n", maxSplits: 40).prefix(40) {
            let parts = line.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard parts.count == 2 else { continue }
            values[parts[0].trimmingCharacters(in: .whitespaces)] = parts[1].trimmingCharacters(in: .whitespaces)
        }
        guard let major = values["VERSION"].flatMap(Int.init), let minor = values["PATCHLEVEL"].flatMap(Int.init),
            let sublevel = values["SUBLEVEL"].flatMap(Int.init)
        else {
            throw .notAKernelTree(path, reason: "its Makefile states no VERSION, PATCHLEVEL and SUBLEVEL")
        }
        for name in ["Kconfig", "scripts", "mm"]
        where !FileManager.default.fileExists(atPath: path.appending(name).string) {
            throw .notAKernelTree(path, reason: "it has no \(name)")
        }
        return "\(major).\(minor).\(sublevel)\(values["EXTRAVERSION"] ?? "")"
    }
}
