// SPDX-License-Identifier: GPL-2.0-only

import Foundation
import SystemPackage
import Testing

@testable import KernelLab

/// A kernel of two files, and a series of patches for it; make and the compiler are real.
@Suite struct SeriesCheckTests {
    private static let makefile = """
        VERSION = 7
        PATCHLEVEL = 2
        SUBLEVEL = 13
        EXTRAVERSION =
        allnoconfig:
        \tcp $(KCONFIG_ALLCONFIG) $(O)/.config
        olddefconfig:
        mm/: $(O)/mm/one.o $(O)/mm/two.o
        vmlinux: mm/
        \ttouch $(O)/vmlinux
        mm/%.o: $(O)/mm/%.o
        \t@true
        $(O)/mm/%.o: mm/%.c mm/both.h
        \t@mkdir -p $(@D)
        \t@echo '  CC      mm/$*.o'
        \t@$(CC) -Wall -Imm -c -o $@ $<
        .PHONY: allnoconfig olddefconfig mm/ vmlinux

        """

    private struct Lab {
        var folder: FilePath
        var cache: KernelCache
        var patched: SourceTree
        var series: PatchSeries

        func check(_ selection: Set<Int>? = nil, set: [String] = ["KEPT=y"], lint: Bool = false) throws -> SeriesCheck {
            let variant = BuildVariant(
                name: "small",
                about: "",
                arch: "x86_64",
                cpu: "x86_64",
                crossPrefix: "x86_64-linux-gnu-",
                start: "allnoconfig",
                fragments: [],
                set: set,
                expect: set,
                targets: ["mm/"],
                lastTargets: ["vmlinux"]
            )
            return SeriesCheck(
                source: patched,
                series: series,
                variants: [variant],
                fragments: folder,
                selection: selection,
                cache: cache,
                events: .discarding
            )
        }
    }

    /// A tree whose commits each change files to the given texts.
    private func withLab(_ commits: [[String: String]], _ body: (Lab) async throws -> Void) async throws {
        try await withTemporaryFolder { folder in
            let tree = folder.appending("tree")
            for (name, text) in [
                "Makefile": Self.makefile, "Kconfig": "", "mm/Kconfig": "", "scripts/checkpatch.pl": "print \"\";",
                "mm/both.h": "#define BOTH 1\n", "mm/one.c": "#include \"both.h\"\nint one;\n",
                "mm/two.c": "#include \"both.h\"\nint two;\n",
            ] {
                try tree.appending(FilePath(name).components).write(text)
            }
            let git = try await FakeTree.commit(tree)
            let cache = KernelCache(root: folder.appending("cache"))
            let source = try await KernelSource(cache: cache, events: .discarding).tree(of: .tree(tree))
            for (index, files) in commits.enumerated() {
                for (name, text) in files { try tree.appending(FilePath(name).components).write(text) }
                try await git.run(["add", "--all", "--force"])
                try await git.run(["commit", "--quiet", "-m", "mm: change \(index + 1)"])
            }
            let patches = folder.appending("patches")
            try await git.run(["format-patch", "--quiet", "-\(commits.count)", "-o", patches.string])
            let series = try PatchSeries(directory: patches)
            let patched = try await series.apply(to: source, cache: cache, events: .discarding)
            try await body(Lab(folder: folder, cache: cache, patched: patched, series: series))
        }
    }

    @Test func eachPatchIsBuiltAndWhatItAddsIsItsOwn() async throws {
        try await withLab([
            ["mm/one.c": "#include \"both.h\"\nint one = 1;\n"],
            ["mm/two.c": "#include \"both.h\"\nstatic int unused;\nint two;\n"],
            ["mm/one.c": "#include \"both.h\"\nint one = none;\n"],
        ]) { lab in
            let report = try await lab.check().run()
            let cells = try #require(report.columns.first).cells
            #expect(report.patches.map(\.number) == ["base", "0001", "0002", "0003"])
            #expect(report.patches.last?.subject == "mm: change 3")
            #expect(cells.map(\.verdict) == ["ok", "ok", "1 new", "FAILED"])
            #expect(cells[2].complaints.first?.hasPrefix("mm/two.c:2: ") == true)
            #expect(cells[3].errors?.contains { $0.contains("none") } == true)
            #expect(!report.isGood)
            #expect(try #require(cells[3].log).text().contains("none"))
        }
    }

    @Test func whatWasBuiltIsNotBuiltAgain() async throws {
        try await withLab([["mm/one.c": "int one = 1;\n"], ["mm/two.c": "int two = 2;\n"]]) { lab in
            #expect(try await lab.check().run().isGood)
            let tree = try #require(try lab.cache.folder(.checks).names().first { $0.hasPrefix("series-") })
            let objects = try lab.cache.folder(.checks).appending(tree).appending(".objects-small")
            #expect(objects.appending("vmlinux").exists)
            try removeAll(objects)
            #expect(try await lab.check().run().isGood)
            #expect(!objects.exists)
            // One more symbol is another variant.
            #expect(try await lab.check(set: ["KEPT=y", "MORE=y"]).run().isGood)
            #expect(objects.exists)
        }
    }

    @Test func aSelectionBuildsTheBaseAndWhatIsSelected() async throws {
        try await withLab([["mm/one.c": "int one = none;\n"], ["mm/one.c": "int one = 1;\n"]]) { lab in
            let report = try await lab.check([2]).run()
            #expect(report.patches.map(\.number) == ["base", "0002"])
            #expect(report.isGood)
        }
    }

    @Test func aSymbolThatDoesNotSurviveIsAFailure() async throws {
        try await withLab([
            [
                "Makefile": Self.makefile.replacing("cp $(", with: "grep -v KEPT $(")
                    .replacing("$(O)/.config", with: "> $(O)/.config; true"), "mm/Kconfig": "# changed\n",
            ]
        ]) { lab in
            let report = try await lab.check().run()
            #expect(report.columns.first?.cells.map(\.verdict) == ["ok", "FAILED"])
            #expect(report.columns.first?.cells.last?.errors?.first?.contains("CONFIG_KEPT: wanted y") == true)
        }
    }

    @Test func mistakesGoInOneAtATime() async throws {
        try await withLab([["mm/one.c": "#include \"both.h\"\nint one = 1;\n"]]) { lab in
            let tree = try await WorkingTree.take(for: "test", of: lab.patched, cache: lab.cache, events: .discarding)
            defer { tree.release() }
            let diff = lab.folder.appending("x.patch")
            try diff.write(
                """
                Mistake: do it wrong

                diff --git a/mm/one.c b/mm/one.c
                --- a/mm/one.c
                +++ b/mm/one.c
                @@ -1,2 +1,2 @@
                 #include "both.h"
                -int one = 1;
                +int one = 2;

                """
            )
            let last = try #require(tree.commits.last)
            for _ in 1...2 {
                try await tree.move(to: last)
                #expect(try await tree.apply(diff) != last.tree)
                #expect(try tree.path.appending("mm/one.c").text().contains("= 2"))
            }
            await #expect(throws: SeriesError.self) { try await tree.apply(diff) }
            try await tree.move(to: tree.commits[0])
            #expect(try tree.path.appending("mm/one.c").text().contains("int one;"))
        }
    }
}
