// SPDX-License-Identifier: GPL-2.0-only

import SystemPackage

/// One way to configure and compile a kernel in which each patch of a series must build.
///
/// `qemu-images/kernel/variants.toml` holds ours; `qemu-images/README.md` documents every key.
public struct BuildVariant: Sendable, Hashable, Decodable {
    /// The name, a column of the table: "x86_64-no-thp".
    public var name: String
    /// What it is for, in a few words.
    public var about: String
    /// What `make ARCH=` calls its architecture.
    public var arch: String
    /// The CPU, as `uname -m` has it, of a machine whose own compiler will do.
    public var cpu: String
    /// What the names of the compiler and the linker begin with on any other machine.
    public var crossPrefix: String
    /// The make target that the configuration starts from: "allnoconfig", "defconfig".
    public var start: String
    /// Fragments beside the file, merged in this order.
    public var fragments: [String]
    /// "SYMBOL=VALUE", which win over fragments and must survive.
    public var set: [String]
    /// "SYMBOL=VALUE" that nobody can set and that must come out.
    public var expect: [String]
    /// What is built at every patch.
    public var targets: [String]
    /// What is built besides at the last patch: the link takes as long as all the rest.
    public var lastTargets: [String]

    enum CodingKeys: String, CodingKey {
        case name, about, arch, cpu, start, fragments, set, expect, targets
        case crossPrefix = "cross-prefix"
        case lastTargets = "last-targets"
    }

    /// The prefix on this machine; empty where its own compiler will do.
    var toolPrefix: String { ToolPrefix.onThisMachine(crossPrefix, cpu: cpu) }
}

/// The file of all variants.
public struct BuildVariants: Sendable, Hashable, Decodable {
    /// The variants, in the order of the file.
    public var all: [BuildVariant]

    enum CodingKeys: String, CodingKey {
        case all = "variant"
    }

    /// Reads the file and checks it.
    ///
    /// - Throws: `DescriptionError`, which names the file, the line and the key.
    public init(path: FilePath) throws(DescriptionError) {
        let document = try TOMLDocument(path: path)
        self = try document.decode(BuildVariants.self, shape: .variants)
        var names: Set<String> = []
        for (index, variant) in all.enumerated() {
            let key = "variant[\(index)]"
            if variant.name.wholeMatch(of: /[a-z0-9][a-z0-9_.-]*/) == nil {
                throw document.badValue("\(key).name", "must be of lower-case letters, digits, “_”, “.” and “-”")
            }
            if !names.insert(variant.name).inserted {
                throw document.badValue("\(key).name", "is “\(variant.name)”, as that of a variant above")
            }
            if variant.targets.isEmpty { throw document.badValue("\(key).targets", "must name something to build") }
            for (key, settings) in [("\(key).set", variant.set), ("\(key).expect", variant.expect)] {
                do {
                    _ = try KconfigFragment(settings: settings)
                } catch {
                    throw document.badValue(key, "is wrong: \(error)")
                }
            }
        }
    }
}

extension TOMLShape {
    /// The file of variants; `BuildVariant` says what each key means.
    static let variants = TOMLShape.table([
        "variant": .tables([
            "name": .string, "about": .string, "arch": .string, "cpu": .string, "cross-prefix": .string,
            "start": .string, "fragments": .strings, "set": .strings, "expect": .strings, "targets": .strings,
            "last-targets": .strings,
        ])
    ])
}
