// SPDX-License-Identifier: GPL-2.0-only

import Foundation
import SystemPackage

/// What a user asks for as kernel source.
public enum SourceRequest: Sendable, Hashable {
    /// `--base v7.2`: a released kernel.
    case base(String)
    /// `--tree DIR`: a copy of the user's tree as it stands, which itself is never written to.
    case tree(FilePath)
    /// `--tree DIR --in-place`: the user's tree itself.
    case inPlace(FilePath)

    /// Whether it is the user's tree itself.
    public var isInPlace: Bool {
        if case .inPlace = self { true } else { false }
    }
}

/// Gets kernel source trees.
public struct KernelSource: Sendable {
    private let cache: KernelCache
    private let events: EventSink
    let kernelOrg: KernelOrg
    private let debian: Bool

    /// Sources that are kept in `cache`.
    ///
    /// - Parameters:
    ///   - kernelOrg: Where the first way leads; tests name a server of their own.
    ///   - debian: Whether Debian's archive is the second way.
    public init(cache: KernelCache, events: EventSink, kernelOrg: KernelOrg = KernelOrg(), debian: Bool = true) {
        self.cache = cache
        self.events = events
        self.kernelOrg = kernelOrg
        self.debian = debian
    }

    /// The tree that `request` names.
    ///
    /// A base comes from the cache, else from kernel.org, else from Debian's package of that kernel's source.
    ///
    /// - Throws: `SourceError`, `StorageError`, `ToolError`.
    public func tree(of request: SourceRequest) async throws -> SourceTree {
        switch request {
        case .base(let text):
            return try await tree(of: Base(text))
        case .tree(let path):
            return try await UserTree(path, cache: cache, events: events).snapshot()
        case .inPlace(let path):
            return try await UserTree(path, cache: cache, events: events).itself()
        }
    }

    private func tree(of base: Base) async throws -> SourceTree {
        let entry = try await cache.entry(
            .sources,
            name: base.description,
            what: "the source of \(base)",
            events: events,
            isWhole: { try await SourceRepository(path: $0).isWhole() },
            make: { try await make(base, in: $0) }
        )
        let tree = try await SourceRepository(path: entry.path).tree()
        if !entry.isNew { events.send(.finished(.fetch, detail: "\(base) (\(tree.version)), cached")) }
        return tree
    }

    /// Fills `folder` by the first way that works.
    private func make(_ base: Base, in folder: FilePath) async throws {
        let downloads = try cache.folder(.downloads)
        var attempts: [SourceError.Attempt] = []
        let kernelOrgReason = try await reasonToGoOn {
            let archive = try await kernelOrg.fetch(base, into: downloads, events: events)
            try await unpack(archive, base: base, into: folder)
        }
        guard let kernelOrgReason else { return }
        attempts.append(.init(way: "kernel.org", reason: kernelOrgReason))

        guard debian else { throw SourceError.unobtainable(base: base.description, attempts: attempts) }
        let package = "linux-source-\(base.series)"
        events.send(.note("kernel.org: \(kernelOrgReason); trying Debian's \(package)"))
        let debianReason = try await reasonToGoOn {
            try empty(folder)
            try await makeFromDebian(package, base: base, downloads: downloads, folder: folder)
        }
        guard let debianReason else { return }
        attempts.append(.init(way: "Debian's \(package)", reason: debianReason))
        throw SourceError.unobtainable(base: base.description, attempts: attempts)
    }

    /// Why `body` failed, for a list of attempts; nil if it did not. A full disk or a cancelled task is no reason to go on.
    private func reasonToGoOn(_ body: () async throws -> Void) async throws -> String? {
        do {
            try await body()
            return nil
        } catch let error as SourceError {
            if case .notFetched(let url, let reason) = error { return "\(reason) (\(url))" }
            if case .notInDebian(_, let reason) = error { return reason }
            return error.description
        } catch let error as ToolError {
            let explained = StorageError.explaining(error, in: cache.root)
            if explained is StorageError { throw explained }
            return error.description
        }
    }

    private func makeFromDebian(_ package: String, base: Base, downloads: FilePath, folder: FilePath) async throws {
        events.send(.started(.fetch, detail: "\(package) from Debian"))
        let archive = try await DebianArchive(state: downloads.appending("apt"))
        let complaints = try await archive.update()
        let candidates = try await archive.candidates(package: package, base: base)
        guard !candidates.isEmpty else {
            let reason = complaints.isEmpty ? "no suite of Debian's has \(base)" : "not found: \(complaints)"
            throw SourceError.notInDebian(package: package, reason: reason)
        }
        var reasons: [String] = []
        for candidate in candidates {
            // An index may be ahead of its mirror: then the next newest has to do.
            let reason = try await reasonToGoOn {
                let file = try await archive.download(package: package, candidate, into: downloads, events: events)
                events.send(.finished(.fetch, detail: "\(package) \(candidate.version)"))
                defer { try? FileManager.default.removeItem(atPath: file.string) }
                try await unpack(package: package, file: file, base: base, into: folder)
            }
            guard let reason else { return }
            reasons.append("\(candidate.version): \(reason)")
            try empty(folder)
        }
        throw SourceError.notInDebian(package: package, reason: reasons.joined(separator: "; "))
    }

    // MARK: Unpacking

    private func unpack(package: String, file: FilePath, base: Base, into folder: FilePath) async throws {
        let content = file.removingLastComponent().appending(package + ".content")
        try? FileManager.default.removeItem(atPath: content.string)
        defer { try? FileManager.default.removeItem(atPath: content.string) }
        do {
            try await Tool.find("dpkg-deb").run(["--extract", file.string, content.string])
        } catch ToolError.failed(let command, let status, let lines, let log) {
            let error = ToolError.failed(command: command, status: status, lastLines: lines, log: log)
            if StorageError.explaining(error, in: cache.root) is StorageError { throw error }
            throw SourceError.corrupt(file: file.string, reason: lines.joined(separator: "; "))
        }
        let archive = content.appending(FilePath("usr/src/\(package).tar.xz").components)
        guard FileManager.default.fileExists(atPath: archive.string) else {
            throw SourceError.corrupt(file: file.string, reason: "it holds no \(package).tar.xz")
        }
        try await unpack(Archive(path: archive), base: base, into: folder)
    }

    /// Unpacks an archive, makes a repository of it and removes the archive, which nobody needs again.
    private func unpack(_ archive: Archive, base: Base, into folder: FilePath) async throws {
        let name = archive.path.lastComponent?.string ?? ""
        events.send(.started(.unpack, detail: name))
        let version: String
        do {
            try await archive.unpack(into: folder, events: events)
            version = try KernelTree.version(of: folder)
            guard version.hasPrefix(base.series + ".") else {
                throw SourceError.corrupt(file: name, reason: "it holds version \(version)")
            }
        } catch let error as SourceError {
            try? FileManager.default.removeItem(atPath: archive.path.string)
            throw error
        }
        events.send(.advanced(.unpack, done: 0, total: nil, unit: "files committed"))
        try await SourceRepository.make(of: folder, message: "Linux \(base)")
        try? FileManager.default.removeItem(atPath: archive.path.string)
        events.send(.finished(.unpack, detail: "Linux \(version)"))
    }

    private func empty(_ folder: FilePath) throws {
        for name in try FileManager.default.contentsOfDirectory(atPath: folder.string) {
            try FileManager.default.removeItem(atPath: folder.appending(name).string)
        }
    }
}
