// SPDX-License-Identifier: GPL-2.0-only

import Foundation
import SystemPackage
import Testing

@testable import KernelLab

@Suite struct InitramfsTests {
    private let events = EventSink.discarding

    /// Packs as for a kernel that the user brought; a kernel's own packer is tried with real kernels.
    private func pack(_ initramfs: Initramfs, in folder: FilePath) async throws -> Initramfs.Archive {
        let cache = KernelCache(root: folder.appending("cache"))
        return try await initramfs.pack(
            with: try InitramfsPacker(for: KernelImage(image: "/boot/image")),
            cache: cache,
            events: events
        )
    }

    /// Unpacks what needs no root, and returns the folder.
    private func unpack(_ archive: FilePath, in folder: FilePath) async throws -> FilePath {
        let root = folder.appending("root")
        try FileManager.default.createDirectory(atPath: root.string, withIntermediateDirectories: true)
        var shell = try Tool.find("sh")
        shell.workingDirectory = root
        try await shell.run([
            "-c", "cpio -idm --no-absolute-filenames --nonmatching 'dev/*' < \"$1\"", "sh", archive.string,
        ])
        return root
    }

    private func list(_ archive: FilePath) async throws -> String {
        try await Tool.find("sh").capture(["-c", "cpio -tvn < \"$1\"", "sh", archive.string])
    }

    @Test func holdsProgramAndMountPoints() async throws {
        try await withTemporaryFolder { folder in
            let program = folder.appending("program")
            try program.write("init")
            let archive = try await pack(Initramfs(program: program), in: folder)
            let text = try await list(archive.path)
            #expect(text.contains(/-rwxr-xr-x +1 0 +0 +4 .* \/?init\n/))
            #expect(text.contains(/drwxrwxrwt .* \/?tmp\n/))
            for folder in ["proc", "sys", "run", "modules"] { #expect(text.contains(" \(folder)\n")) }
            let size = try FileManager.default.attributesOfItem(atPath: archive.path.string)[.size] as? Int
            #expect(archive.size == size)
        }
    }

    @Test func modulesAreNumberedAndListedWithTheirOptions() async throws {
        try await withTemporaryFolder { folder in
            let modules = try FakeModules(root: folder.appending("modules root"))
            try await modules.add("base")
            try await modules.add("top", dependsOn: ["base"])
            try await modules.index()
            try folder.appending("program").write("init")
            let set = try ModuleSet([.init(parsing: "top speed=9 name=\"a b\"")], in: modules.root)
            let archive = try await pack(Initramfs(program: folder.appending("program"), modules: set), in: folder)
            let root = try await unpack(archive.path, in: folder)
            let order = try root.pushing("modules/order").text()
            #expect(order == "00-base.ko\n01-top.ko speed=9 name=\"a b\"\n")
            let packed = try Data(contentsOf: URL(fileURLWithPath: root.pushing("modules/01-top.ko").string))
            #expect(packed == (try Data(contentsOf: URL(fileURLWithPath: modules.folder.appending("top.ko").string))))
        }
    }

    @Test(arguments: [("gzip", "gz"), ("xz", "xz"), ("zstd", "zst")])
    func compressedModulesAreDecompressed(program: String, suffix: String) async throws {
        try await withTemporaryFolder { folder in
            let modules = try FakeModules(root: folder)
            try await modules.add("base")
            let plain = modules.folder.appending("base.ko")
            let bytes = try Data(contentsOf: URL(fileURLWithPath: plain.string))
            try await Tool.find(program).run([plain.string])
            let module = ModuleSet.Module(name: "base", path: FilePath("\(plain).\(suffix)"), options: "")
            let set = ModuleSet(modules: [module])
            try folder.appending("program").write("init")
            let archive = try await pack(Initramfs(program: folder.appending("program"), modules: set), in: folder)
            let root = try await unpack(archive.path, in: folder)
            #expect(try Data(contentsOf: URL(fileURLWithPath: root.pushing("modules/00-base.ko").string)) == bytes)
        }
    }

    @Test func extraFilesBringTheirFoldersAndLinks() async throws {
        try await withTemporaryFolder { folder in
            let file = folder.appending("with blank").appending("busy box")
            try file.write("shell")
            let initramfs = Initramfs(
                program: file,
                extraFiles: [.init(source: file, destination: "/usr/lib/x/busybox", mode: 0o4755)],
                links: ["/bin/sh": "../usr/lib/x/busybox"]
            )
            let text = try await list(try await pack(initramfs, in: folder).path)
            #expect(text.contains(/-rwsr-xr-x .* \/?usr\/lib\/x\/busybox\n/))
            #expect(text.contains(/l\S+ .* \/?bin\/sh -> \.\.\/usr\/lib\/x\/busybox\n/))
            #expect(text.contains(/drwxr-xr-x .* \/?usr\/lib\/x\n/))
        }
    }

    @Test func equalContentIsAnEqualArchive() async throws {
        try await withTemporaryFolder { folder in
            let program = folder.appending("program")
            try program.write("init")
            let first = try await pack(Initramfs(program: program), in: folder.appending("1"))
            let other = folder.appending("elsewhere").appending("same")
            try other.write("init")
            let second = try await pack(Initramfs(program: other), in: folder.appending("2"))
            #expect(first.path != second.path)
            let digests = try [first, second].map { try ContentKey.sha256(ofFile: $0.path) }
            #expect(digests[0] == digests[1])
        }
    }

    @Test func isPackedOnceAndAgainWhenAFileChanges() async throws {
        try await withTemporaryFolder { folder in
            let program = folder.appending("program")
            try program.write("init")
            let first = try await pack(Initramfs(program: program), in: folder)
            #expect(try await pack(Initramfs(program: program), in: folder) == first)
            try program.write("changed")
            #expect(try await pack(Initramfs(program: program), in: folder).path != first.path)
        }
    }

    @Test func missingFileIsNamed() async throws {
        try await withTemporaryFolder { folder in
            let error = await #expect(throws: InitramfsError.self) {
                try await pack(Initramfs(program: "/nowhere/program"), in: folder)
            }
            #expect(error?.description.contains("/nowhere/program") == true)
            #expect(error?.exitStatus == .usage)
        }
    }

    @Test(arguments: ["relative", "/with blank", "/line\nbreak"])
    func badDestinationIsRefused(path: String) throws {
        let destination = FilePath(path)
        #expect(throws: InitramfsError.badDestination(destination)) {
            try InitramfsLayout(
                Initramfs(program: "/p", extraFiles: [.init(source: "/p", destination: destination)])
            )
        }
    }
}
