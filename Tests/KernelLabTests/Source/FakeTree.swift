// SPDX-License-Identifier: GPL-2.0-only

import Foundation
import SystemPackage

@testable import KernelLab

/// What looks enough like a kernel tree to be fetched, snapshotted and patched.
enum FakeTree {
    /// The content of mm/memory.c, which patches change.
    static let memory = (1...30).map { "line \($0)\n" }.joined()

    /// Writes a tree into `folder`, which is made.
    static func write(to folder: FilePath, version: String = "7.2.13") throws {
        let numbers = version.split(separator: ".")
        try folder.appending("Makefile").write(
            """
            # SPDX-License-Identifier: GPL-2.0
            VERSION = \(numbers[0])
            PATCHLEVEL = \(numbers[1])
            SUBLEVEL = \(numbers.count > 2 ? numbers[2] : "0")
            EXTRAVERSION =
            NAME = Test

            all:

            """
        )
        try folder.appending("Kconfig").write("mainmenu \"Test\"\n")
        try folder.appending("scripts/build.sh").write("#!/bin/sh\n")
        try folder.appending("mm/memory.c").write(memory)
        try folder.appending("mm/.gitignore").write("*.gen\n")
        // As Debian's has it: nothing at the top is to be tracked, and no object files anywhere.
        try folder.appending(".gitignore").write(".*\n*.o\n/*\n!/debian/\n")
    }

    /// Packs a tree as kernel.org does, below one folder.
    static func pack(_ folder: FilePath, into archive: FilePath, version: String) async throws {
        let top = "linux-\(version)"
        try await Tool.find("tar").run([
            "--create", "--xz", "--file", archive.string, "--directory", folder.string,
            "--transform", "s,^[.],\(top),", ".",
        ])
    }

    /// A patch that changes line `line` of mm/memory.c from what it is to `text`.
    static func patch(_ number: Int, line: Int, from old: String, to new: String, subject: String = "change") -> String
    {
        """
        From 0000000000000000000000000000000000000000 Mon Sep 17 00:00:00 2001
        From: A Hacker <hacker@example.org>
        Date: Thu, 1 Oct 2026 12:00:00 +0000
        Subject: [PATCH \(number)/9] mm: \(subject) line \(line)

        Because.

        ---
         mm/memory.c | 2 +-
         1 file changed, 1 insertion(+), 1 deletion(-)

        diff --git a/mm/memory.c b/mm/memory.c
        --- a/mm/memory.c
        +++ b/mm/memory.c
        @@ -\(line - 3),7 +\(line - 3),7 @@
         line \(line - 3)
         line \(line - 2)
         line \(line - 1)
        -\(old)
        +\(new)
         line \(line + 1)
         line \(line + 2)
         line \(line + 3)
        --\u{20}
        2.39.5


        """
    }

    /// A git repository of the user's that holds the tree, with one commit.
    @discardableResult
    static func commit(_ folder: FilePath) async throws -> Tool {
        var git = try Tool.find("git")
        git.workingDirectory = folder
        git.environment["GIT_CONFIG_GLOBAL"] = "/dev/null"
        for (variable, value) in [("NAME", "user"), ("EMAIL", "user@example.org")] {
            git.environment["GIT_AUTHOR_" + variable] = value
            git.environment["GIT_COMMITTER_" + variable] = value
        }
        try await git.run(["init", "--quiet"])
        try await git.run(["add", "--all", "--force"])
        try await git.run(["commit", "--quiet", "-m", "tree"])
        return git
    }
}

/// A fingerprint of everything in a folder: names, contents, times and inodes.
func fingerprint(_ folder: FilePath) async throws -> String {
    var shell = Tool(path: "/bin/sh")
    shell.workingDirectory = folder
    return try await shell.capture([
        "-c", "find . -printf '%p %i %m %s %T@ %C@ %n\\n' | sort; find . -type f -exec cksum {} +",
    ])
}
