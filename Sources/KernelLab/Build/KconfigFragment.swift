// SPDX-License-Identifier: GPL-2.0-only

import Foundation
import SystemPackage

/// Where a request stands, for messages: "qemu-images/kernel/common.config:12", or the option that it came from.
public enum KconfigOrigin: Sendable, Hashable, CustomStringConvertible {
    /// A line, counted from 1, of a fragment.
    case file(FilePath, line: Int)
    /// `--set TEXT` on the command line.
    case option(String)

    /// FILE:LINE, or the option.
    public var description: String {
        switch self {
        case .file(let path, let line): "\(path):\(line)"
        case .option(let text): "--set \(text)"
        }
    }
}

/// One symbol that a fragment wants to have one value.
public struct KconfigRequest: Sendable, Hashable {
    /// The symbol, without `CONFIG_`.
    public var symbol: String
    /// As `.config` writes it: y, m, n, a number, or a string in its quotes.
    public var value: String
    /// Whether a kernel that does not give it is refused, or built with a note.
    public var isRequired: Bool
    /// The line that asks for it.
    public var origin: KconfigOrigin

    /// The line of a `.config` that says the same.
    var line: String {
        value == "n" ? "# CONFIG_\(symbol) is not set" : "CONFIG_\(symbol)=\(value)"
    }
}

/// A Kconfig fragment: lines of a `.config`, each a request.
///
/// The syntax is that of `.config` (kernel document Documentation/kbuild/kconfig.rst): `CONFIG_SYMBOL=VALUE`,
/// `# CONFIG_SYMBOL is not set`, comments and blank lines. One convention is ours: a comment that begins with
/// "# optional" makes the requests down to the next blank line optional.
public struct KconfigFragment: Sendable, Hashable {
    /// What the fragment asks for, in its order.
    public var requests: [KconfigRequest]

    /// Parses a fragment; `path` is for the messages.
    ///
    /// - Throws: `KconfigError.syntax` for the first line that is no request, comment or blank;
    ///   `KconfigError.contradiction` for a symbol that the text gives two values.
    public init(parsing text: String, path: FilePath) throws(KconfigError) {
        requests = []
        var first: [String: KconfigRequest] = [:]
        var isOptional = false
        for (index, line) in text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline).enumerated() {
            let line = line.trimmingCharacters(in: .whitespaces)
            if line.isEmpty { isOptional = false }
            if line.hasPrefix("# optional") { isOptional = true }
            let origin = KconfigOrigin.file(path, line: index + 1)
            guard let (symbol, value) = try Self.assignment(in: line, origin: origin) else { continue }
            let request = KconfigRequest(symbol: symbol, value: value, isRequired: !isOptional, origin: origin)
            if let other = first[symbol], other.value != value {
                throw .contradiction(request, other)
            }
            first[symbol] = request
            requests.append(request)
        }
    }

    /// Reads and parses a fragment.
    ///
    /// - Throws: `KconfigError.unreadable`, or what parsing throws.
    public init(contentsOf path: FilePath) throws(KconfigError) {
        let text: String
        do {
            text = try String(contentsOfFile: path.string, encoding: .utf8)
        } catch {
            throw .unreadable(path, reason: error.localizedDescription)
        }
        try self.init(parsing: text, path: path)
    }

    /// Makes a fragment of `--set` options: "SYMBOL=VALUE", with or without `CONFIG_`.
    ///
    /// - Throws: `KconfigError.syntax` for an option that is not of that form.
    public init(settings: [String]) throws(KconfigError) {
        requests = []
        for setting in settings {
            let line = setting.hasPrefix("CONFIG_") ? setting : "CONFIG_" + setting
            let origin = KconfigOrigin.option(setting)
            guard let (symbol, value) = try Self.assignment(in: line, origin: origin) else {
                throw .syntax(origin, text: setting)
            }
            requests.append(.init(symbol: symbol, value: value, isRequired: true, origin: origin))
        }
    }

    /// The symbol and value of a line; nil for a comment or a blank line.
    private static func assignment(
        in line: String,
        origin: KconfigOrigin
    ) throws(KconfigError) -> (symbol: String, value: String)? {
        if let match = line.wholeMatch(of: /# CONFIG_([A-Za-z0-9_]+) is not set/) {
            return (String(match.1), "n")
        }
        if line.isEmpty || line.hasPrefix("#") { return nil }
        guard
            let match = line.wholeMatch(of: /CONFIG_([A-Za-z0-9_]+)=([ymn]|-?[0-9]+|0[xX][0-9a-fA-F]+|"([^"\\]|\\.)*")/)
        else {
            throw .syntax(origin, text: line)
        }
        return (String(match.1), String(match.2))
    }
}

/// What can be wrong with a fragment or a `--set`.
public enum KconfigError: LabError, Hashable {
    /// The file cannot be read.
    case unreadable(FilePath, reason: String)
    /// A line is no request, comment or blank.
    case syntax(KconfigOrigin, text: String)
    /// One fragment gives one symbol two values.
    case contradiction(KconfigRequest, KconfigRequest)

    /// A file that the command line names is wrong.
    public var exitStatus: ExitStatus { .usage }

    /// What is wrong, where, and what would be right.
    public var description: String {
        switch self {
        case .unreadable(let path, let reason):
            "cannot read the Kconfig fragment \(path): \(reason)"
        case .syntax(let origin, let text):
            "\(origin): “\(text)” is not a Kconfig setting: write CONFIG_SYMBOL=VALUE, where VALUE is y, m, n, a number "
                + "or a \"string\", or “# CONFIG_SYMBOL is not set”"
        case .contradiction(let request, let other):
            "\(request.origin): CONFIG_\(request.symbol)=\(request.value) contradicts \(other.origin), which has "
                + "\(other.value): keep one of the two"
        }
    }
}
