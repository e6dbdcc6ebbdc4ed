// SPDX-License-Identifier: GPL-2.0-only

import Foundation
import Synchronization
import SystemPackage

/// git, kept apart from the machine's and the user's settings.
///
/// Hooks, signing, line-ending conversion, templates, ignore files and environment variables of the user's must not
/// change what a tree holds, so none of them is read. Commits carry a fixed name and date: equal content gives
/// equal commits, and no identity need be configured.
struct Git: Sendable {
    /// The folder that git works in.
    let directory: FilePath
    /// Repositories are looked for below this folder only; nil for anywhere.
    var ceiling: FilePath? {
        didSet { tool.environment["GIT_CEILING_DIRECTORIES"] = ceiling?.string }
    }
    private var tool: Tool

    /// git in `directory`; with `gitDirectory`, a repository elsewhere whose work tree `directory` is.
    ///
    /// - Parameter inherited: Variables as if they came with the environment that we were started in.
    /// - Throws: `ToolError.missing` where there is no git.
    init(
        in directory: FilePath,
        gitDirectory: FilePath? = nil,
        index: FilePath? = nil,
        inherited: [String: String] = [:]
    ) throws {
        self.directory = directory
        var tool = try Tool.find("git")
        tool.workingDirectory = directory
        tool.environment.merge(inherited) { _, theirs in theirs }
        tool.environment.merge(Self.environment) { _, ours in ours }
        if let gitDirectory {
            tool.environment["GIT_DIR"] = gitDirectory.string
            tool.environment["GIT_WORK_TREE"] = directory.string
        }
        if let index { tool.environment["GIT_INDEX_FILE"] = index.string }
        self.tool = tool
    }

    /// Runs git; `ToolError.failed` unless it exits with status 0.
    func run(_ arguments: [String], onLine: (@Sendable (String) -> Void)? = nil) async throws {
        try await tool.run(arguments, onLine: onLine)
    }

    /// Runs git and returns its standard output.
    func capture(_ arguments: [String], limit: Int = 64 << 20) async throws -> String {
        try await tool.capture(arguments, limit: limit)
    }

    /// Runs git and returns how it ended.
    func status(_ arguments: [String], onLine: (@Sendable (String) -> Void)? = nil) async throws -> ToolStatus {
        try await tool.status(arguments, onLine: onLine)
    }

    /// Runs git and returns the only line that it prints.
    func line(_ arguments: [String]) async throws -> String {
        try await capture(arguments).trimmingCharacters(in: .newlines)
    }

    /// Runs git, which may fail, and returns the lines that it prints.
    func messages(_ arguments: [String]) async throws -> [String] {
        let lines = Mutex<[String]>([])
        _ = try await status(arguments) { line in lines.withLock { $0.append(line) } }
        return lines.withLock { $0 }
    }

    /// Runs a shell script for input and output that would not fit in memory: its words are `words`, then git.
    func shell(_ script: String, _ words: String...) async throws {
        let (shell, arguments) = try shellCommand(script, words)
        try await shell.run(arguments)
    }

    /// Runs a shell script and returns its standard output; its words are `words`, then git.
    func captureShell(_ script: String, _ words: String...) async throws -> String {
        let (shell, arguments) = try shellCommand(script, words)
        return try await shell.capture(arguments, limit: 64 << 20)
    }

    private func shellCommand(_ script: String, _ words: [String]) throws -> (Tool, [String]) {
        var shell = try Tool.find("sh")
        shell.environment = tool.environment
        shell.workingDirectory = directory
        return (shell, ["-c", script, "sh"] + words + [tool.path.string])
    }

    /// Options for `git add` and `git update-index` of a whole kernel: big files go straight into one pack, and with
    /// this every file is big. Else each of 95,000 becomes a file of its own. For adding only: git does not diff big files.
    static let intoOnePack = ["-c", "core.bigFileThreshold=1", "-c", "core.compression=1"]

    private static let settings: KeyValuePairs = [
        // The user named the tree; that it may belong to somebody else is theirs to judge.
        "safe.directory": "*",
        "core.hooksPath": "/dev/null",
        "core.fsmonitor": "false",
        "core.excludesFile": "/dev/null",
        "core.attributesFile": "/dev/null",
        "core.autocrlf": "false",
        "core.eol": "lf",
        "core.quotePath": "false",
        "commit.gpgSign": "false",
        "gc.auto": "0",
        "maintenance.auto": "false",
        "advice.detachedHead": "false",
        "am.keepcr": "false",
        "am.threeWay": "false",
        "apply.whitespace": "nowarn",
        "apply.ignoreWhitespace": "no",
        "mailinfo.scissors": "false",
        "color.ui": "false",
        // As git format-patch writes, whose patches are compared with commits.
        "diff.context": "3", "diff.interHunkContext": "0", "diff.algorithm": "myers", "diff.renames": "true",
        "diff.noprefix": "false", "diff.mnemonicPrefix": "false",
    ]

    private static let environment: [String: String?] = {
        let name = "uffd-rwp project"
        let address = "uffd-rwp@project.invalid"
        let date = "2000-01-01T00:00:00Z"
        var environment: [String: String?] = [
            "GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_SYSTEM": "/dev/null", "GIT_CONFIG_GLOBAL": "/dev/null",
            "GIT_ATTR_NOSYSTEM": "1", "GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0", "GIT_PAGER": "cat",
            "GIT_EDITOR": "true",
            "GIT_AUTHOR_NAME": name, "GIT_AUTHOR_EMAIL": address, "GIT_AUTHOR_DATE": date,
            "GIT_COMMITTER_NAME": name, "GIT_COMMITTER_EMAIL": address, "GIT_COMMITTER_DATE": date,
        ]
        // What a git hook or `git rebase --exec` that runs us would hand down.
        for variable in [
            "GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_ALTERNATE_OBJECT_DIRECTORIES",
            "GIT_COMMON_DIR", "GIT_NAMESPACE", "GIT_PREFIX", "GIT_CONFIG", "GIT_CONFIG_PARAMETERS",
            "GIT_TEMPLATE_DIR", "GIT_EXTERNAL_DIFF", "GIT_DIFF_OPTS", "GIT_CEILING_DIRECTORIES",
        ] {
            environment[variable] = .some(nil)
        }
        // As `-c` would, without making every message about a command that failed begin with all of them.
        environment["GIT_CONFIG_COUNT"] = "\(settings.count)"
        for (index, setting) in settings.enumerated() {
            environment["GIT_CONFIG_KEY_\(index)"] = setting.key
            environment["GIT_CONFIG_VALUE_\(index)"] = setting.value
        }
        return environment
    }()
}
