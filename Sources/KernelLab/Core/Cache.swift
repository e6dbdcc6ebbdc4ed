// SPDX-License-Identifier: GPL-2.0-only

import Foundation
import SystemPackage

/// Where everything that is fetched or built is kept, each entry under a name made of its inputs.
///
/// An entry is a folder that is there as a whole or not at all: it is made under another name beside and renamed. Any
/// number of `rwp` processes may use one cache; two that want the same entry make it once.
public struct KernelCache: Sendable {
    /// The parts of the cache, each a folder of its root.
    public enum Section: String, Sendable, CaseIterable {
        /// Downloads that are under way or were not finished.
        case downloads
        /// Pristine kernel sources, each a git repository of one commit.
        case sources
        /// What is remembered of trees of the user's.
        case snapshots
        /// Sources with a series applied.
        case trees
        /// Sources that move from patch to patch, with the objects of each place, and what was found there.
        case checks
        /// Built kernels.
        case kernels
        /// Object files of kernels whose tree is the user's.
        case objects
        /// Built guest programs.
        case guests
        /// Built selftests of kernels, and the headers that they are compiled against.
        case selftests
        /// Packed initramfs images.
        case initramfs
    }

    /// An entry, and whether this call made it or found it.
    public struct Entry: Sendable, Hashable {
        /// The entry's folder.
        public var path: FilePath
        /// False where the entry was there already.
        public var isNew: Bool
    }

    /// The folder of everything.
    public let root: FilePath

    /// A cache at a known place; nothing is made yet.
    public init(root: FilePath) {
        self.root = root
    }

    /// The user's cache: `RWP_CACHE`, else `uffd-rwp` in `XDG_CACHE_HOME`, else in `~/.cache`.
    ///
    /// As the XDG base directory specification says, a relative `XDG_CACHE_HOME` is ignored.
    public init(environment: [String: String] = ProcessInfo.processInfo.environment) {
        let here = FilePath(FileManager.default.currentDirectoryPath)
        if let cache = environment["RWP_CACHE"], !cache.isEmpty {
            root = here.pushing(FilePath(cache)).lexicallyNormalized()
        } else if let cache = environment["XDG_CACHE_HOME"], cache.hasPrefix("/") {
            root = FilePath(cache).appending("uffd-rwp")
        } else {
            root = FilePath(environment["HOME"] ?? NSHomeDirectory()).appending(".cache").appending("uffd-rwp")
        }
    }

    /// The folder of a section, made if need be.
    ///
    /// - Throws: `StorageError` where it cannot be made.
    public func folder(_ section: Section) throws -> FilePath {
        let path = root.appending(section.rawValue)
        do {
            try FileManager.default.createDirectory(atPath: path.string, withIntermediateDirectories: true)
        } catch {
            let explained = StorageError.explaining(error, in: root)
            if explained is StorageError { throw explained }
            throw StorageError.notWritable(folder: path, reason: error.localizedDescription)
        }
        return path
    }

    /// The entry `name`, found or made.
    ///
    /// - Parameters:
    ///   - name: The entry's name: a version, a `ContentKey`, or both; a single component of a path.
    ///   - what: What it is, for people ("linux-source-7.2").
    ///   - isWhole: Whether an entry that is there is usable; one that is not is removed and made anew, with a note.
    ///   - make: Fills the empty folder that it is given, which is renamed when it returns, so that nothing in the
    ///     entry may know its own path. If it throws, the folder is removed.
    /// - Throws: `StorageError` for a full disk or a folder that is not ours to write; else what `make` throws.
    public func entry(
        _ section: Section,
        name: String,
        what: String,
        events: EventSink,
        isWhole: (FilePath) async throws -> Bool = { _ in true },
        make: (FilePath) async throws -> Void
    ) async throws -> Entry {
        let folder = try folder(section)
        let path = folder.appending(name)
        if exists(path), try await isWhole(path) { return Entry(path: path, isNew: false) }

        let lock = try await lock(section, name: name, what: what, events: events)
        defer { lock.release() }
        if exists(path) {
            // Whoever held the lock may have made it meanwhile.
            if try await isWhole(path) { return Entry(path: path, isNew: false) }
            events.send(.note("\(path) is damaged: making it anew"))
            try remove(path)
        }
        removeAbandoned(in: folder, besides: name, events: events)
        try await makeAndRename(to: path, make)
        return Entry(path: path, isNew: true)
    }

    /// Takes the lock that makers of the entry `name` hold.
    func lock(_ section: Section, name: String, what: String, events: EventSink) async throws -> FileLock {
        try await FileLock.take(lockPath(in: try folder(section), name)) { holder in
            let who = holder.map { "another rwp (process \($0))" } ?? "another rwp"
            events.send(.note("waiting for \(who), which is making \(what)"))
        }
    }

    // MARK: Temporaries

    private static let temporaryMark = ".tmp-"

    private func lockPath(in folder: FilePath, _ name: String) -> FilePath {
        folder.appending("." + name + ".lock")
    }

    private func makeAndRename(to path: FilePath, _ make: (FilePath) async throws -> Void) async throws {
        let name = path.lastComponent?.string ?? ""
        let folder = path.removingLastComponent()
        // Never the same name twice: a program that outlived a killed rwp may still write to the last one.
        let temporary = folder.appending(name + Self.temporaryMark + UUID().uuidString.prefix(8))
        do {
            try FileManager.default.createDirectory(atPath: temporary.string, withIntermediateDirectories: false)
            try await make(temporary)
            try Task.checkCancellation()
            try FileManager.default.moveItem(atPath: temporary.string, toPath: path.string)
        } catch {
            let explained = StorageError.explaining(error, in: folder)
            try? remove(temporary)
            throw explained
        }
    }

    /// Removes the temporaries of killed runs: those whose lock nobody holds, and, as we hold that lock, ours.
    private func removeAbandoned(in folder: FilePath, besides ours: String, events: EventSink) {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder.string)) ?? []
        for temporary in names {
            guard let mark = temporary.range(of: Self.temporaryMark, options: .backwards) else { continue }
            let name = String(temporary[..<mark.lowerBound])
            let lock = name == ours ? nil : try? FileLock.attempt(lockPath(in: folder, name))
            guard name == ours || lock != nil else { continue }
            // A kernel tree takes seconds to remove.
            events.send(.note("removing \(temporary), which an interrupted run left"))
            try? remove(folder.appending(temporary))
            lock?.release()
        }
    }

    private func remove(_ path: FilePath) throws {
        try FileManager.default.removeItem(atPath: path.string)
    }

    private func exists(_ path: FilePath) -> Bool {
        FileManager.default.fileExists(atPath: path.string)
    }
}
