// SPDX-License-Identifier: GPL-2.0-only

import Foundation
import Glibc
import Synchronization
import SystemPackage
import Testing

@testable import KernelLab

/// The notes that were sent to a sink.
struct Notes: Sendable {
    private let collected = Collected<String>()
    var all: [String] { collected.elements }
    var sink: EventSink {
        EventSink { event in
            if case .note(let text) = event { collected.append(text) }
        }
    }
}

@Suite struct CacheRootTests {
    @Test func ownVariableComesFirst() {
        let environment = ["RWP_CACHE": "/a/b/../c", "XDG_CACHE_HOME": "/x", "HOME": "/h"]
        #expect(KernelCache(environment: environment).root == "/a/c")
    }

    @Test func relativeVariableIsMadeAbsolute() {
        let here = FilePath(FileManager.default.currentDirectoryPath)
        #expect(KernelCache(environment: ["RWP_CACHE": "c"]).root == here.appending("c"))
    }

    @Test(arguments: [
        (["RWP_CACHE": "", "XDG_CACHE_HOME": "/x", "HOME": "/h"], "/x/uffd-rwp"),
        (["XDG_CACHE_HOME": "relative", "HOME": "/h"], "/h/.cache/uffd-rwp"),
        (["HOME": "/h"], "/h/.cache/uffd-rwp"),
    ])
    func followsBaseDirectorySpecification(environment: [String: String], root: String) {
        #expect(KernelCache(environment: environment).root == FilePath(root))
    }
}

@Suite struct CacheTests {
    private func withCache<Value>(_ body: (KernelCache) async throws -> Value) async throws -> Value {
        try await withTemporaryFolder { try await body(KernelCache(root: $0.appending("cache"))) }
    }

    private func entry(
        _ cache: KernelCache,
        _ name: String = "e",
        events: EventSink = .discarding,
        _ make: (FilePath) async throws -> Void = { try $0.appending("f").write("x") }
    ) async throws -> KernelCache.Entry {
        try await cache.entry(.kernels, name: name, what: "the entry", events: events, make: make)
    }

    /// What a section shows besides its locks.
    private func names(_ cache: KernelCache) throws -> [String] {
        try cache.folder(.kernels).names().filter { !$0.hasSuffix(".lock") }
    }

    @Test func secondRequestFindsTheEntry() async throws {
        try await withCache { cache in
            let first = try await entry(cache)
            #expect(first.isNew)
            #expect(try first.path.appending("f").text() == "x")
            let second = try await entry(cache) { _ in Issue.record("made twice") }
            #expect(second == KernelCache.Entry(path: first.path, isNew: false))
        }
    }

    @Test func failureLeavesNothing() async throws {
        struct Broken: Error {}
        try await withCache { cache in
            await #expect(throws: Broken.self) {
                try await entry(cache) { folder in
                    try folder.appending("half").write("x")
                    throw Broken()
                }
            }
            let left = try names(cache)
            #expect(left == [])
            let again = try await entry(cache)
            #expect(again.isNew)
        }
    }

    @Test func cancellationLeavesNothing() async throws {
        try await withCache { cache in
            let task = Task {
                try await entry(cache) { folder in
                    try folder.appending("half").write("x")
                    withUnsafeCurrentTask { $0?.cancel() }
                }
            }
            await #expect(throws: CancellationError.self) { try await task.value }
            let left = try names(cache)
            #expect(left == [])
        }
    }

    @Test func abandonedTemporariesAreRemoved() async throws {
        try await withCache { cache in
            let folder = try cache.folder(.kernels)
            try folder.appending("e.tmp-1/half").write("x")
            try folder.appending("other.tmp-2/half").write("x")
            let notes = Notes()
            _ = try await entry(cache, events: notes.sink)
            #expect(try names(cache) == ["e"])
            #expect(notes.all.count == 2)
        }
    }

    @Test func temporaryInUseIsLeftAlone() async throws {
        try await withCache { cache in
            _ = try await entry(cache, "a") { a in
                _ = try await entry(cache, "b")
                #expect(a.exists)
            }
            #expect(try names(cache) == ["a", "b"])
        }
    }

    @Test func damagedEntryIsMadeAnew() async throws {
        try await withCache { cache in
            let notes = Notes()
            let path = try await entry(cache) { try $0.appending("bad").write("") }.path
            let again = try await cache.entry(
                .kernels,
                name: "e",
                what: "the entry",
                events: notes.sink,
                isWhole: { $0.appending("f").exists }
            ) { try $0.appending("f").write("x") }
            #expect(again.isNew)
            #expect(try path.names() == ["f"])
            #expect(notes.all.contains { $0.contains("damaged") && $0.contains(path.string) })
        }
    }

    @Test func twoWhoWantTheSameEntryMakeItOnce() async throws {
        try await withCache { cache in
            let notes = Notes()
            let (opened, opening) = AsyncStream.makeStream(of: Void.self)
            let (waited, waiting) = AsyncStream.makeStream(of: Void.self)
            async let first = entry(cache) { folder in
                opening.finish()
                for await _ in waited {}
                try folder.appending("f").write("first")
            }
            for await _ in opened {}
            let sink = EventSink { event in
                notes.sink.send(event)
                waiting.finish()
            }
            let second = try await entry(cache, events: sink) { _ in Issue.record("made twice") }
            let made = try await first
            #expect(made.isNew)
            #expect(!second.isNew)
            #expect(notes.all == ["waiting for another rwp (process \(getpid())), which is making the entry"])
        }
    }

    @Test func waitingCanBeCancelled() async throws {
        try await withCache { cache in
            let lock = try await cache.lock(.kernels, name: "e", what: "", events: .discarding)
            let (waited, waiting) = AsyncStream.makeStream(of: Void.self)
            let task = Task { try await entry(cache, events: EventSink { _ in waiting.finish() }) }
            for await _ in waited {}
            task.cancel()
            await #expect(throws: CancellationError.self) { try await task.value }
            lock.release()
        }
    }

    @Test func lockDiesWithItsProcess() async throws {
        try await withCache { cache in
            let lock = try cache.folder(.kernels).appending(".e.lock")
            // The shell takes the lock on descriptor 9 and is killed while it holds it.
            let status = try await Tool(path: "/bin/sh").status([
                "-c", "exec 9>\(lock); flock -n 9 || exit 1; kill -9 $$",
            ])
            #expect(status == .signaled(SIGKILL))
            #expect(try await entry(cache).isNew)
        }
    }

    @Test func fileInPlaceOfTheFolderIsExplained() async throws {
        try await withTemporaryFolder { folder in
            try folder.appending("cache").write("a file")
            let error = await #expect(throws: StorageError.self) {
                try await entry(KernelCache(root: folder.appending("cache")))
            }
            #expect(error?.exitStatus == .environment)
            #expect(error?.description.contains("\(folder)/cache/kernels") == true)
        }
    }
}

@Suite struct FullDiskTests {
    @Test(arguments: [
        Errno.noSpace as any Error,
        CocoaError(.fileWriteOutOfSpace),
        NSError(domain: NSPOSIXErrorDomain, code: Int(ENOSPC)),
        ToolError.failed(
            command: "tar",
            status: .exited(2),
            lastLines: ["tar: x: Cannot write: No space left on device"],
            log: nil
        ),
        ToolError.logNotWritten(log: "/x", error: .noSpace),
    ])
    func isRecognised(error: any Error) async throws {
        try await withTemporaryFolder { folder in
            let cache = KernelCache(root: folder)
            let explained = await #expect(throws: StorageError.self) {
                try await cache.entry(.trees, name: "e", what: "e", events: .discarding) { temporary in
                    try temporary.appending("half").write("x")
                    throw error
                }
            }
            guard case .full(folder.appending("trees"), _) = explained else {
                Issue.record("\(String(describing: explained))")
                return
            }
            #expect(explained?.exitStatus == .environment)
            #expect(explained?.description.contains("RWP_CACHE") == true)
            let left = try folder.appending("trees").names()
            #expect(left == [".e.lock"])
        }
    }

    @Test func otherErrorsStayWhatTheyAre() {
        #expect(StorageError.explaining(Errno.permissionDenied, in: "/tmp") as? Errno == .permissionDenied)
        #expect(StorageError.explaining(CancellationError(), in: "/tmp") is CancellationError)
    }

    /// A real one: 1 MiB of tmpfs. Mounting takes root.
    @Test(.enabled(if: geteuid() == 0, "mounting a tmpfs takes root"))
    func tmpfsRunsFull() async throws {
        try await withTemporaryFolder { folder in
            try await Tool.find("mount").run(["-t", "tmpfs", "-o", "size=1m", "rwp-test", folder.string])
            do {
                let cache = KernelCache(root: folder)
                let error = await #expect(throws: StorageError.self) {
                    try await cache.entry(.trees, name: "e", what: "e", events: .discarding) { temporary in
                        let file = temporary.appending("zeros").string
                        try await Tool(path: "/bin/sh").run(["-c", "head -c 4M /dev/zero >\(file)"])
                    }
                }
                guard case .full = error else {
                    Issue.record("\(String(describing: error))")
                    return
                }
                #expect(try folder.appending("trees").names() == [".e.lock"])
                #expect(try await cache.entry(.trees, name: "e", what: "e", events: .discarding) { _ in }.isNew)
            }
            try await Tool.find("umount").run([folder.string])
        }
    }
}

@Suite struct ContentKeyTests {
    @Test func sameInputsSameKey() {
        #expect(ContentKey(["a": "1", "b": "2"]) == ContentKey(["a": "1", "b": "2"]))
    }

    @Test func inputsDoNotRunTogether() {
        let keys: [ContentKey] = [
            ContentKey(["a": "1", "b": "2"]), ContentKey(["a": "1b2"]), ContentKey(["b": "2", "a": "1"]),
            ContentKey(["ab": "12"]), ContentKey(["a": "12", "b": ""]), ContentKey(["a": "1", "b": "2", "": ""]),
        ]
        #expect(Set(keys).count == keys.count)
    }

    @Test func fileDigestIsThatOfSha256sum() async throws {
        try await withTemporaryFolder { folder in
            let file = folder.appending("f")
            try file.write("abc")
            let expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
            #expect(try ContentKey.sha256(ofFile: file) == expected)
        }
    }

    @Test func fileCountsByItsContent() async throws {
        try await withTemporaryFolder { folder in
            func key() throws -> ContentKey {
                var hasher = ContentHasher()
                try hasher.add("file", file: folder.appending("f"))
                return hasher.key
            }
            try folder.appending("f").write("1")
            let one = try key()
            #expect(try key() == one)
            try folder.appending("f").write("2")
            #expect(try key() != one)
            #expect(throws: Errno.noSuchFileOrDirectory) {
                var hasher = ContentHasher()
                try hasher.add("file", file: folder.appending("missing"))
            }
        }
    }
}
