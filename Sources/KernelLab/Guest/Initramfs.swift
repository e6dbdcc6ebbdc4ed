// SPDX-License-Identifier: GPL-2.0-only

import Foundation
import SystemPackage

/// Packs the root file system that a virtual machine boots into: the guest program, modules, and what a command adds.
///
/// The archive depends on nothing but its content, and is kept under a key of it. In it:
///
/// - `/init`: the guest program.
/// - `/modules/NN-NAME.ko`: the modules, and `/modules/order`: one line for each, "FILE" or "FILE OPTIONS", in the
///   order in which they load.
/// - `/dev/console`, `/dev/null` and `/dev/kmsg`, where gen_init_cpio packs; empty `/proc`, `/sys`, `/tmp` and `/run` to mount on.
public struct Initramfs: Sendable {
    /// A file that a command adds: a static shell, a selftest, a library.
    public struct ExtraFile: Sendable, Hashable {
        /// The file on this machine.
        public var source: FilePath
        /// Its absolute path in the guest, without blanks.
        public var destination: FilePath
        /// Its permission bits.
        public var mode: Int

        /// Describes a file; its folders in the guest are made.
        public init(source: FilePath, destination: FilePath, mode: Int = 0o755) {
            self.source = source
            self.destination = destination
            self.mode = mode
        }
    }

    /// A packed archive.
    public struct Archive: Sendable, Hashable {
        /// The file that QEMU's `-initrd` takes.
        public var path: FilePath
        /// Its size in bytes.
        public var size: Int
    }

    /// The program that becomes `/init`.
    public var program: FilePath
    /// The modules, in their order.
    public var modules: ModuleSet
    /// What is added.
    public var extraFiles: [ExtraFile]
    /// Symbolic links that are added: path in the guest to target ("/bin/sh" to "busybox").
    public var links: [FilePath: FilePath]

    /// Describes an archive; nothing is read yet.
    public init(
        program: FilePath,
        modules: ModuleSet = .empty,
        extraFiles: [ExtraFile] = [],
        links: [FilePath: FilePath] = [:]
    ) {
        self.program = program
        self.modules = modules
        self.extraFiles = extraFiles
        self.links = links
    }

    /// Packs the archive, or finds it packed.
    ///
    /// - Parameter packer: The packer for the kernel that is to boot it.
    /// - Throws: `InitramfsError`, `ToolError` (a decompressor is missing), `StorageError`, `CancellationError`.
    public func pack(with packer: InitramfsPacker, cache: KernelCache, events: EventSink) async throws -> Archive {
        events.send(.started(.initramfs, detail: "\(modules.modules.count) modules"))
        let layout = try InitramfsLayout(self)
        let entry = try await cache.entry(
            .initramfs,
            name: try key(of: layout).short,
            what: "the initramfs",
            events: events,
            isWhole: { FileManager.default.fileExists(atPath: $0.appending(Self.fileName).string) }
        ) { folder in
            let stage = folder.appending("stage")
            try await layout.stage(in: stage)
            try await packer.pack(
                list: stage.appending(InitramfsLayout.listName),
                in: stage,
                to: folder.appending(Self.fileName)
            )
            try FileManager.default.removeItem(atPath: stage.string)
        }
        let path = entry.path.appending(Self.fileName)
        let size = try FileManager.default.attributesOfItem(atPath: path.string)[.size] as? Int ?? 0
        events.send(.finished(.initramfs, detail: "\(size / 1000) KB" + (entry.isNew ? "" : ", cached")))
        return Archive(path: path, size: size)
    }

    private static let fileName = "initramfs.cpio"

    private func key(of layout: InitramfsLayout) throws -> ContentKey {
        var hasher = ContentHasher()
        hasher.add("list", layout.list)
        hasher.add("order", layout.order)
        for file in layout.files {
            do {
                try hasher.add(file.stagedName, file: file.source)
            } catch {
                throw InitramfsError.unreadable(file.source, reason: "\(error)")
            }
        }
        return hasher.key
    }
}

/// What can go wrong when an initramfs is packed.
public enum InitramfsError: LabError, Hashable {
    /// A file that is to be packed cannot be read.
    case unreadable(FilePath, reason: String)
    /// A path in the guest that the packer's list cannot express.
    case badDestination(FilePath)
    /// The packer failed.
    case notPacked(reason: String)

    /// A file that was named is wrong, or the machine lacks something.
    public var exitStatus: ExitStatus {
        switch self {
        case .unreadable, .badDestination: .usage
        case .notPacked: .environment
        }
    }

    /// What happened, to which file.
    public var description: String {
        switch self {
        case .unreadable(let path, let reason):
            "cannot pack \(path) into the initramfs: \(reason)"
        case .badDestination(let path):
            "cannot pack a file as \(path): the path in the guest must be absolute and without blanks"
        case .notPacked(let reason):
            "the initramfs could not be packed: \(reason)"
        }
    }
}
