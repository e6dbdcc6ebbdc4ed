// SPDX-License-Identifier: GPL-2.0-only

import Foundation
import SystemPackage

/// Packs an archive that is described by a list, as Documentation/driver-api/early-userspace has it.
///
/// A kernel that we built has the kernel's own packer, usr/gen_init_cpio, which makes device nodes without being root.
/// For an image that the user brought there is none, and cpio(1) packs: without the device nodes, of which the guest
/// needs none, since it mounts devtmpfs, and every kernel's built-in initramfs has a /dev/console.
public struct InitramfsPacker: Sendable {
    private enum Program: Sendable {
        case genInitCpio(FilePath)
        case cpio
    }

    private let program: Program

    /// The packer for `image`.
    ///
    /// - Throws: `ToolError.missing` without cpio(1), where the image has no packer of its own.
    public init(for image: KernelImage) throws(ToolError) {
        if let path = image.genInitCpio {
            program = .genInitCpio(path)
        } else {
            _ = try Tool.find("cpio")
            program = .cpio
        }
    }

    /// Packs what `list` says, with the file names in it taken from `folder`, into `archive`.
    ///
    /// Equal content makes equal archives: the time of every file is the epoch.
    ///
    /// - Throws: `InitramfsError.notPacked`, `StorageError` for a full disk.
    func pack(list: FilePath, in folder: FilePath, to archive: FilePath) async throws {
        do {
            switch program {
            case .genInitCpio(let path):
                // The option -o for the archive is newer than some kernels that we build, so a shell opens it.
                try await shell(in: folder, #"exec "$1" -t 0 "$2" > "$3""#, [path, list, archive])
            case .cpio:
                let root = folder.appending("root")
                try populate(root, from: list, in: folder)
                let script = #"""
                    find . -exec touch -h -d @0 {} + &&
                    find . -mindepth 1 | LC_ALL=C sort |
                    exec cpio --quiet -o -H newc --reproducible -R 0:0 > "$1"
                    """#
                try await shell(in: root, script, [archive])
            }
        } catch let error as ToolError {
            if let full = StorageError.explaining(error, in: folder) as? StorageError { throw full }
            throw InitramfsError.notPacked(reason: "\(error)")
        }
    }

    private func shell(in folder: FilePath, _ script: String, _ arguments: [FilePath]) async throws {
        var shell = try Tool.find("sh")
        shell.workingDirectory = folder
        try await shell.run(["-c", script, "sh"] + arguments.map(\.string))
    }

    /// Makes the files of the list below `root`, where cpio(1) finds them.
    private func populate(_ root: FilePath, from list: FilePath, in folder: FilePath) throws {
        let manager = FileManager.default
        try manager.createDirectory(atPath: root.string, withIntermediateDirectories: false)
        for line in try String(contentsOfFile: list.string, encoding: .utf8).split(separator: "\n") {
            // "dir NAME MODE UID GID", "file NAME LOCATION MODE UID GID", "slink NAME TARGET MODE UID GID", "nod …"
            let words = line.split(separator: " ").map(String.init)
            let path = root.pushing(FilePath(String(words[1].drop { $0 == "/" }))).string
            switch words[0] {
            case "dir":
                try manager.createDirectory(atPath: path, withIntermediateDirectories: true)
                try manager.setAttributes([.posixPermissions: Int(words[2], radix: 8) ?? 0o755], ofItemAtPath: path)
            case "file":
                let source = URL(fileURLWithPath: folder.appending(words[2]).string).resolvingSymlinksInPath().path
                try manager.copyItem(atPath: source, toPath: path)
                try manager.setAttributes([.posixPermissions: Int(words[3], radix: 8) ?? 0o755], ofItemAtPath: path)
            case "slink":
                try manager.createSymbolicLink(atPath: path, withDestinationPath: words[2])
            default:
                continue
            }
        }
    }
}
