// SPDX-License-Identifier: GPL-2.0-only

import Foundation
import SystemPackage

/// Debian's archive, read with an apt whose state is ours alone: the machine's apt settings are read, never changed.
///
/// apt verifies the archive's signatures against Debian's keyring; the mirror is the one that the machine uses.
struct DebianArchive: Sendable {
    /// A repository as a line of sources.list(5) names it.
    struct Repository: Sendable, Hashable {
        var uri: String
        var suite: String
    }

    /// A version of a package that an index lists.
    struct Candidate: Sendable, Hashable {
        /// Debian's version: "7.2.13-1", "7.2.9-1~bpo13+1".
        var version: String
        /// SHA-256 of the package's file.
        var sha256: String

        /// The upstream version's numbers: [7, 2, 13].
        var upstream: [Int] {
            version.prefix { $0.isNumber || $0 == "." }.split(separator: ".").compactMap { Int($0) }
        }
    }

    /// Suites that have kernel sources newer than a stable release's, besides those that the machine uses.
    private static let suites = ["trixie-backports", "forky", "sid", "trixie", "trixie-updates"]

    private let state: FilePath
    private let configuration: FilePath

    /// An apt with its state in the folder `state`, which is made.
    init(state: FilePath) async throws {
        self.state = state
        configuration = state.appending("apt.conf")
        for folder in ["lists/partial", "cache/archives/partial"] {
            let path = state.appending(FilePath(folder).components)
            try FileManager.default.createDirectory(atPath: path.string, withIntermediateDirectories: true)
        }
        try await writeConfiguration()
    }

    /// Reads the indices of every suite that may have kernel sources.
    ///
    /// - Returns: What apt complained of. A suite that a mirror does not have is one of that; the others are usable.
    func update() async throws -> String {
        let keyring = try Self.keyring()
        let repositories = try await repositories()
        let architecture = try await Tool.find("dpkg").capture(["--print-architecture"])
            .trimmingCharacters(in: .whitespacesAndNewlines)
        let lines = repositories.map { "deb [arch=\(architecture) signed-by=\(keyring)] \($0.uri) \($0.suite) main" }
        try write(lines.joined(separator: "\n") + "\n", to: sources)
        return try await update(sources: sources, parts: "/dev/null")
    }

    /// The versions of `package` that match `base`, newest first.
    func candidates(package: String, base: Base) async throws -> [Candidate] {
        let text: String
        do {
            text = try await apt("apt-cache").capture(settings(sources, "/dev/null") + ["show", "--", package])
        } catch ToolError.failed {
            return []
        }
        return Self.matching(base, Self.candidates(inStanzas: text))
    }

    /// Those of `candidates` that are of `base`, newest first.
    static func matching(_ base: Base, _ candidates: [Candidate]) -> [Candidate] {
        let matching = candidates.filter { candidate in
            let upstream = candidate.upstream
            guard Array(upstream.prefix(2)) == [base.major, base.minor] else { return false }
            return base.sublevel.map { $0 == (upstream.count > 2 ? upstream[2] : 0) } ?? true
        }
        // Of one upstream version, apt lists the newest first, and that order is kept.
        return matching.enumerated().sorted { a, b in
            a.element.upstream == b.element.upstream
                ? a.offset < b.offset : b.element.upstream.lexicographicallyPrecedes(a.element.upstream)
        }.map(\.element)
    }

    /// Fetches one version of `package` into `folder`; apt checks it against the signed index, and so do we.
    ///
    /// - Returns: The package's file.
    func download(
        package: String,
        _ candidate: Candidate,
        into folder: FilePath,
        events: EventSink
    ) async throws -> FilePath {
        var apt = try apt("apt-get")
        apt.workingDirectory = folder
        let arguments = ["-q", "-o", "APT::Status-Fd=1", "download", "--", "\(package)=\(candidate.version)"]
        try await apt.run(settings(sources, "/dev/null") + arguments) { line in
            // "dlstatus:1:22.6188:Retrieving file 1 of 1"
            let fields = line.split(separator: ":")
            guard fields.count > 2, fields[0] == "dlstatus", let percent = Double(fields[2]) else { return }
            events.send(.advanced(.fetch, done: Int(percent), total: 100, unit: "%"))
        }
        // apt writes an epoch's colon as %3a; kernels have none.
        let file = folder.appending("\(package)_\(candidate.version)_all.deb")
        guard let digest = try? ContentKey.sha256(ofFile: file) else {
            throw SourceError.notInDebian(package: package, reason: "apt-get download left no \(file)")
        }
        guard digest == candidate.sha256 else {
            try? FileManager.default.removeItem(atPath: file.string)
            throw SourceError.notVerified(file: file.string, reason: "its SHA-256 is not that of the signed index")
        }
        return file
    }

    // MARK: Repositories

    /// Debian's own repositories among those that the machine uses, then the suites that it may lack, from its mirror.
    private func repositories() async throws -> [Repository] {
        var known = try await machineRepositories(lists: nil)
        if known.isEmpty {
            // A fresh machine (a container, mostly) has no indices, and apt then cannot tell whose a repository is.
            _ = try await update(sources: nil, parts: nil)
            known = try await machineRepositories(lists: state.appending("lists"))
        }
        guard !known.isEmpty else {
            throw SourceError.notInDebian(
                package: "Debian's archive",
                reason: "this machine's apt uses no repository of Debian's"
            )
        }
        return Self.repositories(known: known)
    }

    /// `known` and, on the mirrors of Debian's main archive among them, the suites of ours.
    static func repositories(known: [(Repository, label: String)]) -> [Repository] {
        var repositories = known.map(\.0)
        for (repository, label) in known where label == "Debian" {
            repositories += suites.map { Repository(uri: repository.uri, suite: $0) }
        }
        var seen: Set<Repository> = []
        return repositories.filter { seen.insert($0).inserted }
    }

    private func machineRepositories(lists: FilePath?) async throws -> [(Repository, label: String)] {
        let format = "$(ORIGIN)|$(LABEL)|$(COMPONENT)|$(RELEASE)|$(REPO_URI)"
        var arguments = ["indextargets", "--format", format, "Created-By: Packages"]
        if let lists { arguments = ["-o", "Dir::State::Lists=\(lists)"] + arguments }
        return Self.repositories(inTargets: try await Tool.find("apt-get").capture(arguments))
    }

    /// Reads lines of "ORIGIN|LABEL|COMPONENT|RELEASE|URI" and keeps Debian's own: other publishers have no kernels.
    static func repositories(inTargets text: String) -> [(Repository, label: String)] {
        text.split(separator: "\n").compactMap { line in
            let fields = line.split(separator: "|", omittingEmptySubsequences: false).map(String.init)
            guard fields.count == 5, fields[0] == "Debian" || fields[0] == "Debian Backports", fields[2] == "main"
            else {
                return nil
            }
            return (Repository(uri: fields[4], suite: fields[3]), fields[1])
        }
    }

    /// Reads what `apt-cache show` prints.
    static func candidates(inStanzas text: String) -> [Candidate] {
        text.components(separatedBy: "\n\n").compactMap { stanza in
            var fields: [Substring: String] = [:]
            for line in stanza.split(separator: "\n") where !line.hasPrefix(" ") {
                let parts = line.split(separator: ":", maxSplits: 1)
                guard parts.count == 2 else { continue }
                fields[parts[0]] = parts[1].trimmingCharacters(in: .whitespaces)
            }
            // One that is installed only is listed without a file.
            guard let version = fields["Version"], let sha256 = fields["SHA256"] else { return nil }
            return Candidate(version: version, sha256: sha256)
        }
    }

    // MARK: apt

    private var sources: FilePath { state.appending("sources.list") }

    private static func keyring() throws -> FilePath {
        let places: [FilePath] = [
            "/usr/share/keyrings/debian-archive-keyring.gpg", "/usr/share/keyrings/debian-archive-keyring.pgp",
        ]
        guard let keyring = places.first(where: { FileManager.default.isReadableFile(atPath: $0.string) }) else {
            throw SourceError.notInDebian(
                package: "Debian's archive",
                reason: "its keyring is not here: install debian-archive-keyring"
            )
        }
        return keyring
    }

    /// The machine's settings (proxies among them) less its hooks, which would act on the machine's apt.
    private func writeConfiguration() async throws {
        let dump = try await Tool.find("apt-config").capture(["dump"])
        let settings = dump.split(separator: "\n").filter { line in
            !["APT::Update::", "DPkg::", "Binary", "Dir::Etc::parts", "Dir::Etc::main", "CommandLine"]
                .contains { line.lowercased().hasPrefix($0.lowercased()) }
        }
        // Read first, and thereby keep the rest from being read: apt.conf(5).
        let ours = [#"Dir::Etc::parts "/dev/null";"#, #"Dir::Etc::main "/dev/null";"#]
        try write((settings.map(String.init) + ours).joined(separator: "\n") + "\n", to: configuration)
    }

    private func apt(_ program: String) throws -> Tool {
        var tool = try Tool.find(program)
        tool.environment["APT_CONFIG"] = configuration.string
        return tool
    }

    private func settings(_ sources: FilePath?, _ parts: FilePath?) -> [String] {
        var values = [
            "Dir::State::Lists=\(state.appending("lists"))", "Dir::Cache=\(state.appending("cache"))",
            "Acquire::Languages=none", "Acquire::Retries=1", "Acquire::http::Timeout=15",
            "Acquire::https::Timeout=15",
        ]
        if let sources { values.append("Dir::Etc::SourceList=\(sources)") }
        if let parts { values.append("Dir::Etc::SourceParts=\(parts)") }
        return values.flatMap { ["-o", $0] }
    }

    private func update(sources: FilePath?, parts: FilePath?) async throws -> String {
        let complaints = Complaints()
        let arguments = settings(sources, parts) + ["-q", "update", "--allow-releaseinfo-change"]
        _ = try await apt("apt-get").status(arguments) { complaints.take($0) }
        return complaints.text
    }

    private func write(_ text: String, to path: FilePath) throws {
        try Data(text.utf8).write(to: URL(fileURLWithPath: path.string))
    }
}
