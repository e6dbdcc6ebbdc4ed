// SPDX-License-Identifier: GPL-2.0-only

import SystemPackage

/// Which checks a kernel is built with.
public enum KernelFlavour: String, Sendable, CaseIterable {
    /// What users run, and mm's cheap checks.
    case standard = "default"
    /// With KASAN, lockdep and every other slow check: `qemu-images/kernel/debug.config`.
    case debug
    /// Without write protection of file memory, so that no marker can stand for an entry (rules S2 and B2):
    /// `qemu-images/kernel/no-marker.config`.
    case noMarker = "no-marker"
}

/// What a kernel's `.config` is to hold: fragments, where a later one wins.
///
/// What no fragment names is off (`make allnoconfig`), or has the value that Kconfig gives it when it cannot be chosen.
public struct KernelConfiguration: Sendable, Hashable {
    /// One request a symbol, ordered by symbol: equal configurations, equal lists.
    public let requests: [KconfigRequest]

    /// Merges fragments; the last request for a symbol is the one that counts.
    public init(fragments: [KconfigFragment]) {
        var last: [String: KconfigRequest] = [:]
        for request in fragments.flatMap(\.requests) {
            last[request.symbol] = request
        }
        requests = last.values.sorted { $0.symbol < $1.symbol }
    }

    /// The project's configuration: common.config, ARCHITECTURE.config and the flavour's own; then what the user
    /// adds.
    ///
    /// - Parameters:
    ///   - folder: The folder of the fragments, `qemu-images/kernel`.
    ///   - files: Fragments of the user's (`--config FILE`), in order.
    ///   - settings: "SYMBOL=VALUE" (`--set`), which win over all files.
    /// - Throws: `KconfigError`, with file and line.
    public init(
        folder: FilePath,
        architecture: any Architecture,
        flavour: KernelFlavour = .standard,
        files: [FilePath] = [],
        settings: [String] = []
    ) throws(KconfigError) {
        var names = ["common.config", "\(architecture.name).config"]
        if flavour != .standard { names.append("\(flavour.rawValue).config") }
        var fragments: [KconfigFragment] = []
        for path in names.map({ folder.appending($0) }) + files {
            fragments.append(try KconfigFragment(contentsOf: path))
        }
        fragments.append(try KconfigFragment(settings: settings))
        self.init(fragments: fragments)
    }

    /// The file that `KCONFIG_ALLCONFIG` names: every request as a line of a `.config`.
    public var text: String {
        requests.map { $0.line + "\n" }.joined()
    }

    /// What `config` does not give, though it was asked for.
    public func losses(in config: KernelConfig) -> [KconfigLoss] {
        requests.compactMap { request in
            let value = config[request.symbol]
            return value == request.value ? nil : KconfigLoss(request: request, value: value)
        }
    }
}

/// A request that did not survive: Kconfig gave the symbol another value.
public struct KconfigLoss: Sendable, Hashable, CustomStringConvertible {
    /// What was asked for, and where.
    public var request: KconfigRequest
    /// What `.config` has; "n" also where it does not mention the symbol.
    public var value: String
    /// Whether any Kconfig file of the tree defines the symbol; nil where nobody looked.
    public var isKnown: Bool?

    /// Makes a value; nothing is read.
    public init(request: KconfigRequest, value: String, isKnown: Bool? = nil) {
        self.request = request
        self.value = value
        self.isKnown = isKnown
    }

    /// "FILE:LINE: CONFIG_SYMBOL: wanted y, got n (why)".
    public var description: String {
        let reason =
            switch isKnown {
            case false?: " (this kernel has no such symbol)"
            case true?: " (what it depends on is missing, or something selects it)"
            case nil: ""
            }
        return "\(request.origin): CONFIG_\(request.symbol): wanted \(request.value), got \(value)\(reason)"
    }
}

/// A kernel's `.config`, read.
public struct KernelConfig: Sendable, Hashable {
    private var values: [String: String] = [:]

    /// Parses the text of a `.config`; what is not set is n.
    public init(parsing text: String) {
        for line in text.split(separator: "\n") where line.hasPrefix("CONFIG_") {
            guard let separator = line.firstIndex(of: "=") else { continue }
            let symbol = line[..<separator].dropFirst("CONFIG_".count)
            values[String(symbol)] = String(line[line.index(after: separator)...])
        }
    }

    /// The value of a symbol (without `CONFIG_`), as `.config` writes it; "n" if it is not set.
    public subscript(symbol: String) -> String {
        values[symbol] ?? "n"
    }

    /// How many symbols are y or m: the size of the kernel, roughly.
    public var enabledCount: Int {
        values.values.count { $0 == "y" || $0 == "m" }
    }
}
