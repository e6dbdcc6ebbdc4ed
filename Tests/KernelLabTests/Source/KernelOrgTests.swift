// SPDX-License-Identifier: GPL-2.0-only

import Foundation
import SystemPackage
import Testing

@testable import KernelLab

/// A key pair made for a test, and what signs with it.
struct TestKey: Sendable {
    let keyring: OpenPGPKeyring
    private let gpg: Tool

    /// Whether there is what makes keys (Debian's package gpg).
    static let isPossible = (try? Tool.find("gpg")) != nil && (try? Tool.find("gpg-agent")) != nil

    /// Runs `body` with a new key; the agent that gpg starts for it is ended.
    static func with<Value>(_ body: (TestKey) async throws -> Value) async throws -> Value {
        try await withTemporaryFolder { home in
            var gpg = try Tool.find("gpg")
            gpg.environment["GNUPGHOME"] = home.string
            try await Tool.find("chmod").run(["700", home.string])
            let user = "Test <test@example.org>"
            try await gpg.run([
                "--batch", "--quiet", "--passphrase", "", "--quick-generate-key", user, "ed25519", "sign",
            ])
            let armored = try await gpg.capture(["--armor", "--export"])
            let key = TestKey(keyring: try #require(OpenPGPKeyring(armored: armored)), gpg: gpg)
            var gpgconf = try Tool.find("gpgconf")
            gpgconf.environment = gpg.environment
            do {
                let value = try await body(key)
                try await gpgconf.run(["--kill", "all"])
                return value
            } catch {
                try await gpgconf.run(["--kill", "all"])
                throw error
            }
        }
    }

    /// Signs what the compressed `archive` holds, as kernel.org does.
    func sign(_ archive: FilePath) async throws -> Data {
        let tar = FilePath(archive.string + ".plain")
        try await Tool(path: "/bin/sh").run(["-c", #"xz -dc -- "$1" >"$2""#, "sh", archive.string, tar.string])
        let signature = tar.string + ".sig"
        try await gpg.run(["--batch", "--output", signature, "--detach-sign", tar.string])
        defer { try? removeAll(tar) }
        return try Data(contentsOf: URL(fileURLWithPath: signature))
    }
}

@Suite struct KeyringTests {
    @Test func releaseKeysAreReadable() {
        // Three keys: Greg Kroah-Hartman's, Linus Torvalds' and Sasha Levin's.
        #expect(OpenPGPKeyring.kernelOrg.packets.count > 3000)
    }

    @Test(arguments: ["", "-----BEGIN PGP PUBLIC KEY BLOCK-----\n\n***\n-----END PGP PUBLIC KEY BLOCK-----"])
    func refusesWhatIsNoKeyring(text: String) {
        #expect(OpenPGPKeyring(armored: text) == nil)
    }
}

@Suite(.enabled(if: TestKey.isPossible, "gpg and gpg-agent make the signing key"))
struct KernelOrgTests {
    private struct Setup {
        var server: ArchiveServer
        var source: KernelSource
        var cache: KernelCache
        var notes: Notes
        var archive: Data
    }

    /// Runs `body` with a server that has linux-7.2, signed, and a source that trusts its signer and knows no Debian.
    private func withSetup(_ body: (Setup) async throws -> Void) async throws {
        let server = ArchiveServer()
        try await withTemporaryFolder { folder in
            let archive = folder.appending("a.tar.xz")
            try FakeTree.write(to: folder.appending("tree"), version: "7.2.0")
            try await FakeTree.pack(folder.appending("tree"), into: archive, version: "7.2")
            try await TestKey.with { key in
                let data = try Data(contentsOf: URL(fileURLWithPath: archive.string))
                server.serve("/v7.x/linux-7.2.tar.xz", data)
                server.serve("/v7.x/linux-7.2.tar.sign", try await key.sign(archive))
                try await server.run { url in
                    let cache = KernelCache(root: folder.appending("cache"))
                    let notes = Notes()
                    let kernelOrg = KernelOrg(url: url, keyring: key.keyring)
                    let source = KernelSource(cache: cache, events: notes.sink, kernelOrg: kernelOrg, debian: false)
                    try await body(
                        Setup(server: server, source: source, cache: cache, notes: notes, archive: data)
                    )
                }
            }
        }
    }

    @Test func fetchesVerifiesAndKeepsARelease() async throws {
        try await withSetup { setup in
            let tree = try await setup.source.tree(of: .base("v7.2"))
            #expect(tree.version == "7.2.0")
            #expect(tree.path == setup.cache.root.appending("sources").appending("v7.2"))
            #expect(try tree.path.appending("mm/memory.c").text() == FakeTree.memory)
            // What the tree's own .gitignore excludes is part of the release nevertheless.
            let files = try await Git(in: tree.path).capture(["ls-files"])
            #expect(files.contains("Kconfig\n"))
            let left = try setup.cache.folder(.downloads).names()
            #expect(left == [])
            let requests = setup.server.requests.count
            let again = try await setup.source.tree(of: .base("v7.2"))
            #expect(again == tree)
            #expect(setup.server.requests.count == requests)
        }
    }

    @Test func wrongSignatureIsRefused() async throws {
        try await withSetup { setup in
            let other = try await TestKey.with { key in
                try await withTemporaryFolder { folder in
                    let file = folder.appending("a.tar.xz")
                    try setup.archive.write(to: URL(fileURLWithPath: file.string))
                    return try await key.sign(file)
                }
            }
            setup.server.serve("/v7.x/linux-7.2.tar.sign", other)
            let error = await #expect(throws: SourceError.self) { try await setup.source.tree(of: .base("v7.2")) }
            #expect(error?.exitStatus == .environment)
            #expect(error?.description.contains("not what its publisher signed") == true)
            let left = try setup.cache.folder(.downloads).names()
            #expect(left == [])
            let sources = try setup.cache.folder(.sources).names()
            #expect(sources == [".v7.2.lock"])
        }
    }

    @Test func damagedArchiveOfAnEarlierRunIsFetchedAnew() async throws {
        try await withSetup { setup in
            let file = try setup.cache.folder(.downloads).appending("linux-7.2.tar.xz")
            try setup.archive.prefix(setup.archive.count / 2).write(to: URL(fileURLWithPath: file.string))
            let tree = try await setup.source.tree(of: .base("v7.2"))
            #expect(tree.version == "7.2.0")
            #expect(setup.notes.all.contains { $0.contains("was damaged") })
        }
    }

    @Test func truncatedArchiveIsRefused() async throws {
        try await withSetup { setup in
            setup.server.serve("/v7.x/linux-7.2.tar.xz", setup.archive.prefix(setup.archive.count - 100))
            await #expect(throws: SourceError.self) { try await setup.source.tree(of: .base("v7.2")) }
            let sources = try setup.cache.folder(.sources).names()
            #expect(sources == [".v7.2.lock"])
        }
    }

    @Test func damagedTreeIsMadeAnew() async throws {
        try await withSetup { setup in
            let tree = try await setup.source.tree(of: .base("v7.2"))
            try removeAll(tree.path.appending(".git/objects"))
            #expect(try await setup.source.tree(of: .base("v7.2")) == tree)
            try tree.path.appending("mm/memory.c").write("scribble")
            #expect(try await setup.source.tree(of: .base("v7.2")) == tree)
            #expect(try tree.path.appending("mm/memory.c").text() == FakeTree.memory)
            #expect(setup.notes.all.filter { $0.contains("is damaged") }.count == 2)
        }
    }

    @Test func everyWayThatFailedIsNamed() async throws {
        try await withSetup { setup in
            let error = await #expect(throws: SourceError.self) { try await setup.source.tree(of: .base("v9.9")) }
            #expect(error?.exitStatus == .environment)
            #expect(error?.description.contains("kernel.org: ") == true)
            #expect(error?.description.contains("404") == true)
            #expect(error?.description.contains("--tree DIR") == true)
        }
    }

    @Test func cancellationWhileFetchingLeavesTheCacheUsable() async throws {
        try await withSetup { setup in
            setup.server.behave("/v7.x/linux-7.2.tar.xz", .silent)
            let task = Task { try await setup.source.tree(of: .base("v7.2")) }
            await setup.server.waitForRequest(of: "/v7.x/linux-7.2.tar.xz")
            task.cancel()
            await #expect(throws: CancellationError.self) { try await task.value }
            let sources = try setup.cache.folder(.sources).names()
            #expect(sources == [".v7.2.lock"])
            let tree = try await setup.source.tree(of: .base("v7.2"))
            #expect(tree.version == "7.2.0")
        }
    }

    @Test func cancellationWhileUnpackingLeavesTheCacheUsable() async throws {
        try await withSetup { setup in
            let events = EventSink { event in
                if case .started(.unpack, _) = event { withUnsafeCurrentTask { $0?.cancel() } }
            }
            let kernelOrg = setup.source.kernelOrg
            let source = KernelSource(cache: setup.cache, events: events, kernelOrg: kernelOrg, debian: false)
            let task = Task { try await source.tree(of: .base("v7.2")) }
            await #expect(throws: CancellationError.self) { try await task.value }
            let sources = try setup.cache.folder(.sources).names()
            #expect(sources == [".v7.2.lock"])
            let tree = try await setup.source.tree(of: .base("v7.2"))
            #expect(tree.version == "7.2.0")
        }
    }
}
