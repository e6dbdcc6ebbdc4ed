// SPDX-License-Identifier: GPL-2.0-only

import Foundation
import SystemPackage

/// The kernel's own packer of initramfs archives, usr/gen_init_cpio.c (Documentation/driver-api/early-userspace).
///
/// It makes device nodes without being root. A kernel that we built has one; for an image that the user brought, the
/// copy of its source in `qemu-images/initramfs` is compiled, so that no kernel tree is needed.
public struct GenInitCpio: Sendable {
    private let tool: Tool

    /// The packer for `image`.
    ///
    /// - Parameter images: The folder `qemu-images` of the project.
    /// - Throws: `ToolError` without a C compiler, `StorageError`, `CancellationError`.
    public init(for image: KernelImage, images: FilePath, cache: KernelCache, events: EventSink) async throws {
        if let path = image.genInitCpio {
            tool = Tool(path: path)
            return
        }
        let source = images.appending("initramfs").appending("gen_init_cpio.c")
        let compiler = try Self.compiler()
        var hasher = ContentHasher()
        hasher.add("compiler", try await compiler.capture(["--version"]))
        do {
            try hasher.add("source", file: source)
        } catch {
            throw InitramfsError.unreadable(source, reason: "\(error)")
        }
        let name = "gen_init_cpio"
        let entry = try await cache.entry(
            .initramfs,
            name: "\(name)-\(hasher.key.short)",
            what: name,
            events: events
        ) { folder in
            try await compiler.run(["-O2", "-o", folder.appending(name).string, source.string])
        }
        tool = Tool(path: entry.path.appending(name))
    }

    /// Packs what `list` says, with the file names in it taken from `folder`, into `archive`.
    ///
    /// - Throws: `InitramfsError.notPacked`, `StorageError` for a full disk.
    func pack(list: FilePath, in folder: FilePath, to archive: FilePath) async throws {
        // The option -o for the archive is newer than some kernels that we build, so a shell opens it. The time of
        // every file is the epoch: equal content, equal archives.
        var shell = try Tool.find("sh")
        shell.workingDirectory = folder
        let script = #"exec "$1" -t 0 "$2" > "$3""#
        do {
            try await shell.run(["-c", script, "sh", tool.path.string, list.string, archive.string])
        } catch let error as ToolError {
            if let full = StorageError.explaining(error, in: folder) as? StorageError { throw full }
            throw InitramfsError.notPacked(reason: "\(error)")
        }
    }

    private static func compiler() throws(ToolError) -> Tool {
        if let tool = try? Tool.find("cc") { return tool }
        return try Tool.find("gcc")
    }
}
