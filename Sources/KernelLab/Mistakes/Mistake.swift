// SPDX-License-Identifier: GPL-2.0-only

import Foundation
import SystemPackage

/// A change that breaks a kernel in one way, and the scenarios that are there to notice.
///
/// It is a file of headers, a text and a diff against the source with the series applied:
///
///     Mistake: leave the parent writable over what it shares with the child
///     Review: 2
///     Rules: L3
///     Fails: rwp-fork-*
///
///     Why this is wrong, and what comes of it.
///
///     diff --git a/mm/mprotect.c b/mm/mprotect.c
public struct Mistake: Sendable, Hashable {
    /// The file's name without ".patch".
    public var name: String
    /// The file.
    public var patch: FilePath
    /// What is done wrong, to follow "to" (`Mistake:`).
    public var title: String
    /// Which of the contract's review mistakes it is (`Review:`); nil for one of our own.
    public var review: Int?
    /// The contract's rules that it breaks (`Rules:`).
    public var rules: [String]
    /// Patterns of results, of each of which at least one must fail (`Fails:`).
    public var fails: [String]
    /// Patterns of results, each of which must fail or be skipped (`Fails-every:`).
    public var failsEvery: [String]
    /// Patterns of results that are spared from that (`Except:`).
    public var spares: [String]
    /// Whether the diff is to be taken out, not put in: it is a part of the series itself.
    public var isReversed = false

    /// Every pattern of results that matter.
    public var patterns: [String] { fails + failsEvery }

    /// Makes a value; nothing is read.
    public init(
        name: String,
        patch: FilePath,
        title: String,
        rules: [String] = [],
        fails: [String],
        isReversed: Bool = false
    ) {
        self.name = name
        self.patch = patch
        self.title = title
        self.rules = rules
        self.fails = fails
        self.isReversed = isReversed
        failsEvery = []
        spares = []
    }

    /// Reads a file.
    ///
    /// - Throws: `MistakeError`.
    public init(path: FilePath) throws(MistakeError) {
        let text: String
        do {
            text = try String(contentsOfFile: path.string, encoding: .utf8)
        } catch {
            throw .unreadable(path, reason: error.localizedDescription)
        }
        let known = ["Mistake", "Review", "Rules", "Fails", "Fails-every", "Except"]
        var headers: [String: String] = [:]
        for line in text.split(separator: "\n", omittingEmptySubsequences: false).prefix(while: { !$0.isEmpty }) {
            let parts = line.split(separator: ":", maxSplits: 1)
            guard parts.count == 2, known.contains(String(parts[0])) else {
                throw .wrongHeader(path, line: String(line), known: known)
            }
            headers[String(parts[0])] = parts[1].trimmingCharacters(in: .whitespaces)
        }
        func words(_ header: String) -> [String] {
            (headers[header] ?? "").split(separator: " ").map(String.init)
        }
        for (header, isThere) in [
            ("Mistake", headers["Mistake"] != nil), ("Rules", !words("Rules").isEmpty),
            ("Fails", !words("Fails").isEmpty || !words("Fails-every").isEmpty),
        ] where !isThere {
            throw .missingHeader(path, header: header)
        }
        guard text.contains("\ndiff --git ") else { throw .noDiff(path) }
        name = path.stem ?? path.string
        patch = path
        title = headers["Mistake"] ?? ""
        review = headers["Review"].flatMap { Int($0) }
        rules = words("Rules")
        fails = words("Fails")
        failsEvery = words("Fails-every")
        spares = words("Except")
    }

    /// Reads every `*.patch` of a folder, ordered by name, those of the review first.
    public static func all(in folder: FilePath) throws(MistakeError) -> [Mistake] {
        let names: [String]
        do {
            names = try FileManager.default.contentsOfDirectory(atPath: folder.string)
        } catch {
            throw .unreadable(folder, reason: error.localizedDescription)
        }
        var mistakes: [Mistake] = []
        for name in names.sorted() where name.hasSuffix(".patch") {
            mistakes.append(try Mistake(path: folder.appending(name)))
        }
        return mistakes.sorted { ($0.review ?? .max, $0.name) < ($1.review ?? .max, $1.name) }
    }
}

/// What can be wrong with the file of a mistake.
public enum MistakeError: LabError, Hashable {
    /// The file or folder cannot be read.
    case unreadable(FilePath, reason: String)
    /// A line above the first blank one is no header.
    case wrongHeader(FilePath, line: String, known: [String])
    /// A header that must be there is not.
    case missingHeader(FilePath, header: String)
    /// There is nothing to apply.
    case noDiff(FilePath)

    /// A file of the project is wrong.
    public var exitStatus: ExitStatus { .usage }

    /// What is wrong with which file, and what would be right.
    public var description: String {
        switch self {
        case .unreadable(let path, let reason): "cannot read \(path): \(reason)"
        case .wrongHeader(let path, let line, let known):
            "\(path): “\(line)” is no header; they are \(known.map { $0 + ":" }.joined(separator: ", ")), down to a blank line"
        case .missingHeader(let path, let header): "\(path) has no header “\(header):”"
        case .noDiff(let path): "\(path) has no diff (“diff --git …”) below its text: add one, as git diff prints it"
        }
    }
}
