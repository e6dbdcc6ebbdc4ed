// SPDX-License-Identifier: GPL-2.0-only

import SystemPackage
import Testing

@testable import KernelLab

@Suite struct GitSettingsTests {
    /// What a machine's and a user's git may be told, all of it in the way.
    @Test func settingsOfTheMachineDoNotMatter() async throws {
        try await withTemporaryFolder { folder in
            let home = folder.appending("home")
            let hook = home.appending("hooks/pre-commit")
            try hook.write("#!/bin/sh\nexit 1\n")
            try await Tool.find("chmod").run(["755", hook.string])
            try home.appending("attributes").write("* text eol=crlf\n")
            try home.appending(".gitconfig").write(
                """
                [core]
                    autocrlf = true
                    hooksPath = \(home)/hooks
                    attributesFile = \(home)/attributes
                    fsmonitor = /nonexistent
                [commit]
                    gpgSign = true
                [am]
                    threeWay = true
                [init]
                    templateDir = \(home)
                """
            )
            let tree = folder.appending("tree")
            try FakeTree.write(to: tree)
            let git = try Git(
                in: tree,
                inherited: ["HOME": home.string, "XDG_CONFIG_HOME": home.string, "GIT_DIR": "/nonexistent"]
            )
            try await git.run(["init", "--quiet", "--template="])
            try await git.run(["add", "--all", "--force", "."])
            try await git.run(["commit", "--quiet", "-m", "tree"])
            let series = folder.appending("series/0001-a.patch")
            try series.write(FakeTree.patch(1, line: 5, from: "line 5", to: "five"))
            try await git.run(["am", series.string])
            #expect(try tree.appending("mm/memory.c").text().contains("line 4\nfive\nline 6\n"))
            #expect(try await git.capture(["log", "--format=%cn <%ce>"]).contains("uffd-rwp@project.invalid"))
        }
    }
}
