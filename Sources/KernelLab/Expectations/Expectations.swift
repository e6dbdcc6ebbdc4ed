// SPDX-License-Identifier: GPL-2.0-only

import Glibc
import SystemPackage

/// How a kernel differs from the contract, as far as that is known: what fails there, and must.
public struct KnownDifference: Sendable, Hashable, Codable {
    /// The contract's rule that the kernel does not keep.
    public var rule: String
    /// What it does instead.
    public var what: String
    /// The first kernel version that does.
    public var since: String

    /// Makes a value.
    public init(rule: String, what: String, since: String) {
        self.rule = rule
        self.what = what
        self.since = since
    }

    /// "B3: UFFDIO_RWPROTECT returns 0 and arms nothing (since 7.3)".
    public var words: String { "\(rule): \(what) (since \(since))" }
}

/// The known differences of one kernel, from a file such as `kernel-patches/expected/v7.3.toml`.
///
/// A result that an entry names must fail. Where it does, that is no news; where it passes, the file is wrong, and the
/// run fails as it does for any other failure. Only one that fails by chance may do either.
public struct Expectations: Sendable {
    /// One `[[expected]]` table.
    public struct Entry: Sendable, Hashable, Decodable {
        /// Patterns of results ("rwp-ksm-merge.anon") or of scenarios ("rwp-ksm-*"), as the guest program takes them.
        public var results: [String]
        /// Patterns of those among them that pass.
        public var except: [String]?
        /// Patterns of those among them that pass or fail by chance, since threads of theirs race.
        public var sometimes: [String]?
        /// The contract's rule.
        public var rule: String
        /// What the kernel does.
        public var what: String
        /// The first version that does.
        public var since: String
        /// The flavour that a kernel must have for it; nil for an entry about every kernel.
        public var flavor: String?

        /// The difference that it is about.
        public var difference: KnownDifference { KnownDifference(rule: rule, what: what, since: since) }

        /// Whether it says that a result fails.
        public func names(_ result: String) -> Bool {
            results.contains { ResultPattern.matches(result, $0) }
                && !(except ?? []).contains { ResultPattern.matches(result, $0) }
        }

        /// Whether a result that it names may pass too.
        func letsPass(_ result: String) -> Bool {
            (sometimes ?? []).contains { ResultPattern.matches(result, $0) }
        }
    }

    /// The file.
    public let file: FilePath
    /// The kernel that the entries were seen on: "7.3.4".
    public let seen: String
    /// The entries, in the order of the file; the first that names a result counts.
    public private(set) var entries: [Entry]

    private struct Content: Decodable {
        var seen: String
        var expected: [Entry]
    }

    /// Reads the file and holds it against the rules and the scenarios that there are.
    ///
    /// - Parameters:
    ///   - contract: Every rule.
    ///   - results: The name of every result that the guest program can give.
    /// - Throws: `DescriptionError` with file, line and key: also for a rule that there is not, and for a pattern that
    ///   matches no result.
    public init(path: FilePath, contract: Contract, results: [String]) throws(DescriptionError) {
        let document = try TOMLDocument(path: path, guide: "kernel-patches/README.md")
        let content = try document.decode(
            Content.self,
            shape: .table([
                "seen": .string,
                "expected": .tables([
                    "results": .strings, "except": .optional(.strings), "sometimes": .optional(.strings),
                    "rule": .string, "what": .string, "since": .string, "flavor": .optional(.string),
                ]),
            ])
        )
        file = path
        seen = content.seen
        entries = content.expected
        for (index, entry) in entries.enumerated() {
            try Self.check(entry, document, "expected[\(index)]", contract, results)
        }
    }

    private static func check(
        _ entry: Entry,
        _ document: TOMLDocument,
        _ key: String,
        _ contract: Contract,
        _ results: [String]
    ) throws(DescriptionError) {
        let rules = contract.rules.map(\.id)
        guard rules.contains(entry.rule) else {
            throw document.badValue("\(key).rule", "is “\(entry.rule)”, which is no rule of kernel-patches/rules.toml")
        }
        let flavours = KernelFlavour.allCases.map(\.rawValue)
        if let flavor = entry.flavor, !flavours.contains(flavor) {
            throw document.badValue(
                "\(key).flavor",
                "is “\(flavor)”, and the flavours are \(flavours.joined(separator: ", "))"
            )
        }
        let lists = [
            ("results", entry.results), ("except", entry.except ?? []), ("sometimes", entry.sometimes ?? []),
        ]
        for (name, patterns) in lists {
            for pattern in patterns where !results.contains(where: { ResultPattern.matches($0, pattern) }) {
                let nearest = NearestName.of(pattern, among: results).map { "; the nearest result is \($0)" } ?? ""
                throw document.badValue("\(key).\(name)", "has “\(pattern)”, which matches no scenario\(nearest)")
            }
        }
    }

    /// The entries about kernels of a flavour.
    public func of(_ flavour: KernelFlavour) -> Expectations {
        var some = self
        some.entries.removeAll { $0.flavor.map { $0 != flavour.rawValue } ?? false }
        return some
    }

    /// The entry about a result; nil for one that must pass.
    func entry(for result: String) -> Entry? {
        entries.first { $0.names(result) }
    }

    /// The difference that a result shows; nil for one that must pass.
    public func difference(for result: String) -> KnownDifference? {
        entry(for: result)?.difference
    }
}

/// Patterns of results.
enum ResultPattern {
    /// As the guest program selects: a pattern is of whole names, or of names without the memory kind (fnmatch(3)).
    static func matches(_ name: String, _ pattern: String) -> Bool {
        let point = ScenarioResult(number: 0, name: name, verdict: .passed).point
        return fnmatch(pattern, name, 0) == 0 || fnmatch(pattern, point, 0) == 0
    }
}
