// SPDX-License-Identifier: GPL-2.0-only

import SystemPackage

/// A rule of the contract between kernel and programs, in short.
public struct Rule: Sendable, Hashable, Decodable {
    /// Its number, as scenarios and patches cite it: "F1".
    public var id: String
    /// What it says.
    public var text: String
    /// Why it may lack scenarios and patches for now; nil for a rule that may not.
    public var later: String?
}

/// The rules that a patch implements.
public struct PatchRules: Sendable, Hashable, Decodable {
    /// The patch's subject, which stays when its number moves.
    public var subject: String
    /// Numbers of rules.
    public var rules: [String]
}

/// Every rule, from `kernel-patches/rules.toml`.
public struct Contract: Sendable, Hashable, Decodable {
    /// The rules, in the order of the file.
    public var rules: [Rule]

    enum CodingKeys: String, CodingKey {
        case rules = "rule"
    }

    /// Reads the file and checks it.
    ///
    /// - Throws: `DescriptionError`.
    public init(path: FilePath) throws(DescriptionError) {
        let document = try TOMLDocument(path: path)
        self = try document.decode(
            Contract.self,
            shape: .table(["rule": .tables(["id": .string, "text": .string, "later": .optional(.string)])])
        )
        var ids: Set<String> = []
        for (index, rule) in rules.enumerated() where !ids.insert(rule.id).inserted {
            throw document.badValue("rule[\(index)].id", "is “\(rule.id)”, as that of a rule above")
        }
    }
}

/// The rules of each patch of a series, from the `rules.toml` beside the patches.
public struct SeriesRules: Sendable, Hashable, Decodable {
    /// The patches, in the order of the file.
    public var patches: [PatchRules]

    enum CodingKeys: String, CodingKey {
        case patches = "patch"
    }

    /// Reads the file.
    ///
    /// - Throws: `DescriptionError`.
    public init(path: FilePath) throws(DescriptionError) {
        self = try TOMLDocument(path: path).decode(
            SeriesRules.self,
            shape: .table(["patch": .tables(["subject": .string, "rules": .strings])])
        )
    }
}
