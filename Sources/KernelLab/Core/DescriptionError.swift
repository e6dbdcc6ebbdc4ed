// SPDX-License-Identifier: GPL-2.0-only

import SystemPackage

/// What can be wrong with a TOML file that describes a machine, kernel variants, rules or expected failures.
public enum DescriptionError: LabError, Hashable {
    /// The file cannot be read.
    case unreadable(file: FilePath, reason: String)
    /// It is not TOML.
    case syntax(file: FilePath, line: Int, reason: String)
    /// A key that no such file has; `nearest` is the known key that may have been meant, `guide` explains the keys.
    case unknownKey(file: FilePath, line: Int, key: String, nearest: String?, guide: String = "qemu-images/README.md")
    /// A key that every such file needs; `line` is where its table begins.
    case missingKey(file: FilePath, line: Int, key: String, guide: String = "qemu-images/README.md")
    /// A value of the wrong type.
    case wrongType(file: FilePath, line: Int, key: String, expected: String)
    /// A value that cannot be; `reason` follows the key's name.
    case badValue(file: FilePath, line: Int, key: String, reason: String)

    /// The user's file is wrong.
    public var exitStatus: ExitStatus { .usage }

    /// "FILE:LINE: what is wrong with which key, and what would be right".
    public var description: String {
        switch self {
        case .unreadable(let file, let reason):
            return "\(file): cannot read it: \(reason)"
        case .syntax(let file, let line, let reason):
            return "\(file):\(line): not TOML: \(reason)"
        case .unknownKey(let file, let line, let key, let nearest, let guide):
            let hint = nearest.map { "did you mean “\($0)”?" } ?? "\(guide) lists the keys"
            return "\(file):\(line): unknown key “\(key)”; \(hint)"
        case .missingKey(let file, let line, let key, let guide):
            return "\(file):\(line): the key “\(key)” is missing; \(guide) says what it means"
        case .wrongType(let file, let line, let key, let expected):
            return "\(file):\(line): the value of “\(key)” must be \(expected)"
        case .badValue(let file, let line, let key, let reason):
            return "\(file):\(line): “\(key)” \(reason)"
        }
    }
}
