// SPDX-License-Identifier: GPL-2.0-only

import Foundation
import SystemPackage

/// What stands where in an initramfs, as the list that gen_init_cpio reads.
///
/// The list separates by blanks and has no way to quote one, so files are named in it by short names in a staging
/// folder, which is where gen_init_cpio runs.
struct InitramfsLayout: Sendable {
    /// A file to pack.
    struct File: Sendable {
        /// Its name in the staging folder.
        var stagedName: String
        /// Where it is now.
        var source: FilePath
        /// The program that decompresses it; nil if it is packed as it is.
        var decompressor: String?
    }

    /// The list's own name in the staging folder.
    static let listName = "list"
    private static let orderName = "order"

    /// The files to stage.
    private(set) var files: [File] = []
    /// What `/modules/order` holds.
    private(set) var order = ""
    /// The list.
    private(set) var list = ""
    private var folders: Set<FilePath> = ["/"]

    /// - Throws: `InitramfsError.badDestination`.
    init(_ initramfs: Initramfs) throws(InitramfsError) {
        for folder in ["/dev", "/proc", "/sys", "/tmp", "/run", "/modules"] as [FilePath] {
            try addFolder(folder)
        }
        list += "nod /dev/console 0600 0 0 c 5 1\nnod /dev/null 0666 0 0 c 1 3\nnod /dev/kmsg 0600 0 0 c 1 11\n"
        try add(initramfs.program, as: "/init")
        for (index, module) in initramfs.modules.modules.enumerated() {
            try add(module, at: index)
        }
        list += "file /modules/order \(Self.orderName) 0644 0 0\n"
        for file in initramfs.extraFiles.sorted(by: { $0.destination.string < $1.destination.string }) {
            try add(file.source, as: file.destination, mode: file.mode)
        }
        for (path, target) in initramfs.links.sorted(by: { $0.key.string < $1.key.string }) {
            try check(path)
            try check(FilePath("/" + target.string))
            try addFolder(path.removingLastComponent())
            list += "slink \(path) \(target) 0777 0 0\n"
        }
    }

    /// Fills the staging folder.
    func stage(in folder: FilePath) async throws {
        try FileManager.default.createDirectory(atPath: folder.string, withIntermediateDirectories: false)
        for file in files {
            let staged = folder.appending(file.stagedName)
            if let decompressor = file.decompressor {
                // exec, so that a cancelled run ends the decompressor itself.
                let arguments = ["-c", #"exec "$1" -dc -- "$2" > "$3""#, "sh", decompressor]
                _ = try Tool.find(decompressor)
                try await Tool.find("sh").run(arguments + [file.source.string, staged.string])
            } else {
                try FileManager.default.createSymbolicLink(
                    atPath: staged.string,
                    withDestinationPath: file.source.string
                )
            }
        }
        try Data(order.utf8).write(to: URL(fileURLWithPath: folder.appending(Self.orderName).string))
        try Data(list.utf8).write(to: URL(fileURLWithPath: folder.appending(Self.listName).string))
    }

    // MARK: Entries

    private mutating func add(_ module: ModuleSet.Module, at index: Int) throws(InitramfsError) {
        let number = index < 10 ? "0\(index)" : "\(index)"
        let name = "\(number)-\(module.name).ko"
        let decompressor = Self.decompressors[module.path.extension ?? ""]
        try add(module.path, as: FilePath("/modules/\(name)"), mode: 0o644, decompressor: decompressor)
        order += module.options.isEmpty ? "\(name)\n" : "\(name) \(module.options)\n"
    }

    private mutating func add(
        _ source: FilePath,
        as destination: FilePath,
        mode: Int = 0o755,
        decompressor: String? = nil
    ) throws(InitramfsError) {
        try check(destination)
        try addFolder(destination.removingLastComponent())
        let file = File(
            stagedName: "file\(files.count)",
            source: FilePath(URL(fileURLWithPath: source.string).path),
            decompressor: decompressor
        )
        files.append(file)
        list += "file \(destination) \(file.stagedName) 0\(String(mode, radix: 8)) 0 0\n"
    }

    private mutating func addFolder(_ folder: FilePath) throws(InitramfsError) {
        try check(folder)
        guard folders.insert(folder).inserted else { return }
        try addFolder(folder.removingLastComponent())
        list += "dir \(folder) \(folder == "/tmp" ? "1777" : "0755") 0 0\n"
    }

    private func check(_ path: FilePath) throws(InitramfsError) {
        guard path.isAbsolute, !path.string.contains(where: \.isWhitespace) else { throw .badDestination(path) }
    }

    /// Who decompresses a module by its file's extension. The guest loads plain modules: whether its kernel could
    /// decompress one (CONFIG_MODULE_DECOMPRESS) does not matter then.
    private static let decompressors = ["gz": "gzip", "xz": "xz", "zst": "zstd"]
}
