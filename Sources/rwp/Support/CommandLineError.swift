// SPDX-License-Identifier: GPL-2.0-only

import KernelLab

/// What is wrong with a command line, or with what it names.
enum CommandLineError: LabError, Equatable {
    /// Two options that exclude each other, and what to do.
    case contradiction(String, String, wayOut: String)
    /// An option that means nothing without another.
    case needs(String, option: String)
    /// A value that an option does not take.
    case badValue(String, option: String, allowed: String)
    /// A pattern that no scenario matches, in the guest program's words, which name the nearest.
    case unknownScenario(String)
    /// A name of something else ("machine", "series") that does not exist.
    case unknownName(String, kind: String, known: [String])
    /// A file or folder that an option names and that is not there to read.
    case unreadable(String, option: String)
    /// A folder without results.
    case noResults(String)
    /// `rwp shell` without a terminal.
    case noTerminal

    var exitStatus: ExitStatus { .usage }

    var description: String {
        switch self {
        case .contradiction(let one, let other, let wayOut):
            return "\(one) and \(other) exclude each other: \(wayOut)"
        case .needs(let needed, let option):
            return "\(option) means nothing without \(needed): add \(needed), or leave \(option) out"
        case .badValue(let value, let option, let allowed):
            return "'\(value)' is no value for \(option): it takes \(allowed)"
        case .unknownScenario(let message):
            return message
        case .unknownName(let name, let kind, let known):
            let hint = NearestName.of(name, among: known).map { " (did you mean '\($0)'?)" } ?? ""
            return "there is no \(kind) '\(name)'\(hint): there is \(known.joined(separator: ", "))"
        case .unreadable(let path, let option):
            return "\(option) names \(path), which is not there or not readable: check the path"
        case .noResults(let folder):
            return "no results in \(folder): 'rwp test' makes some, or name the folder of a run"
        case .noTerminal:
            return "a shell needs a terminal, and standard input or output is none: run it in one,"
                + " or run scenarios with 'rwp test'"
        }
    }
}
