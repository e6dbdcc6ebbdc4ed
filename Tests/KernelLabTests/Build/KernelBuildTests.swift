// SPDX-License-Identifier: GPL-2.0-only

import Foundation
import Glibc
import SystemPackage
import Testing

@testable import KernelLab

@Suite struct KernelBuildTests {
    private func withKernel(inCache: Bool = true, _ body: (FakeKernel) async throws -> Void) async throws {
        try await withTemporaryFolder { try await body(FakeKernel(in: $0, inCache: inCache)) }
    }

    @Test func makesAnImageAndModules() async throws {
        try await withKernel { kernel in
            let image = try await kernel.build("CONFIG_KEPT=y\nCONFIG_MODULES=y\n").build()
            #expect(try image.image.text() == "image\n")
            #expect(image.release == "7.2.99")
            #expect(try image.config?.text() == "CONFIG_KEPT=y\nCONFIG_MODULES=y\n")
            #expect(image.genInitCpio?.exists == true)
            #expect(try image.log?.text().contains("CC ") == true)
            let modules = try #require(image.modules)
            #expect(try modules.pushing("lib/modules/7.2.99").names() == [])
        }
    }

    @Test func secondBuildStartsNoMake() async throws {
        try await withKernel { kernel in
            let first = try await kernel.build().build()
            let calls = kernel.callCount
            #expect(calls > 0)
            #expect(try await kernel.build().build() == first)
            #expect(kernel.callCount == calls)
        }
    }

    @Test func everyInputCounts() async throws {
        try await withKernel { kernel in
            let first = try await kernel.build().build()
            let sources = try await kernel.build(identity: "2").build()
            let configured = try await kernel.build("CONFIG_MODULES=y\n").build()
            var build = try kernel.build()
            let compiler = kernel.folder.appending("bin").appending("other-gcc")
            try compiler.write("#!/bin/sh\n[ \"$1\" = --version ] && echo other && exit\nexec gcc \"$@\"\n")
            #expect(chmod(compiler.string, 0o755) == 0)
            build.compiler = "other-gcc"
            let compiled = try await build.build()
            #expect(Set([first, sources, configured, compiled].map(\.image)).count == 4)
            #expect(first.modules == nil)
        }
    }

    @Test func treeOfTheCacheKeepsNoObjects() async throws {
        try await withKernel { kernel in
            let before = try kernel.tree.names()
            _ = try await kernel.build().build()
            #expect(try kernel.tree.names() == before)
        }
    }

    @Test func treeOfTheUserIsNotWrittenToAndBuildsIncrementally() async throws {
        try await withKernel(inCache: false) { kernel in
            let before = try kernel.tree.names()
            _ = try await kernel.build().build()
            #expect(try kernel.tree.names() == before)
            try kernel.add("two.c", "int three;\n")
            let second = try await kernel.build(identity: "2").build()
            let log = try #require(try second.log?.text())
            #expect(log.contains("two.o"))
            #expect(!log.contains("one.o"))
        }
    }

    @Test func objectsOfTheUsersTreesAreFewAndTheLatest() async throws {
        try await withKernel(inCache: false) { kernel in
            for setting in 1...6 {
                _ = try await kernel.build("CONFIG_KEPT=\(setting)\n").build()
            }
            let folder = try kernel.cache.folder(.objects)
            let configs = try folder.names().filter { !$0.hasPrefix(".") }.map {
                try folder.appending($0).appending(".config").text()
            }
            #expect(configs.sorted() == (3...6).map { "CONFIG_KEPT=\($0)\n" })
        }
    }

    @Test func imageDoesNotDependOnWhoBuildsItWhere() async throws {
        try await withKernel { kernel in
            let makefile = try kernel.tree.appending("Makefile").text()
            let line = "$(info by $(KBUILD_BUILD_USER)@$(KBUILD_BUILD_HOST), LOCALVERSION $(origin LOCALVERSION))\n"
            try kernel.add("Makefile", makefile + line)
            let log = try #require(try await kernel.build().build().log)
            #expect(try log.text().contains("by uffd-rwp@localhost, LOCALVERSION command line\n"))
        }
        for name in ["KCFLAGS", "MAKEFLAGS", "KBUILD_OUTPUT", "ARCH", "V"] {
            #expect(KbuildEnvironment.changes[name] == .some(nil), "\(name) reaches the build")
        }
    }

    @Test func progressIsOfWhatTheLastBuildCompiled() async throws {
        try await withKernel { kernel in
            _ = try await kernel.build().build()
            let totals = Collected<Int?>()
            let sink = EventSink { event in
                if case .advanced(.compile, _, let total, _) = event { totals.append(total) }
            }
            _ = try await kernel.build(identity: "2", events: sink).build()
            #expect(totals.elements == [2, 3])
        }
    }
}

@Suite struct KernelBuildFailureTests {
    private func withKernel(_ body: (FakeKernel) async throws -> Void) async throws {
        try await withTemporaryFolder { try await body(FakeKernel(in: $0)) }
    }

    private func failure(_ build: KernelBuild) async throws -> KernelBuildError? {
        await #expect(throws: KernelBuildError.self) { try await build.build() }
    }

    @Test func compileErrorIsShownWithTheLog() async throws {
        try await withKernel { kernel in
            try kernel.add("two.c", "int two(void) { return missing; }\n")
            let error = try await failure(kernel.build())
            #expect(error?.exitStatus == .build)
            let text = try #require(error?.description)
            #expect(text.contains("two.c:1:24: error:"))
            guard case .make(_, _, _, let log) = error else {
                Issue.record("not an error of make: \(text)")
                return
            }
            #expect(text.contains(log.string))
            #expect(try log.text().contains("two.c:1:24: error:"))

            // The next run goes on from the objects of this one.
            try kernel.add("two.c", "int two;\n")
            let image = try await kernel.build().build()
            #expect(try image.log?.text().contains("one.o") == false)
        }
    }

    @Test func lostSymbolsAreListedWithTheirLines() async throws {
        try await withKernel { kernel in
            let config = "CONFIG_KEPT=y\nCONFIG_HELD_BACK=y\nCONFIG_UNHEARD_OF=m\n"
            let error = try await failure(kernel.build(config))
            #expect(error?.exitStatus == .build)
            let text = try #require(error?.description)
            #expect(text.contains("some.config:2: CONFIG_HELD_BACK: wanted y, got n (what it depends on"))
            #expect(text.contains("some.config:3: CONFIG_UNHEARD_OF: wanted m, got n (this kernel has no such symbol)"))
            #expect(!text.contains("CONFIG_KEPT"))
        }
    }

    @Test func lostOptionalSymbolIsANote() async throws {
        try await withKernel { kernel in
            let notes = Notes()
            let config = "CONFIG_KEPT=y\n# optional\nCONFIG_UNHEARD_OF=y\n"
            _ = try await kernel.build(config, events: notes.sink).build()
            #expect(notes.all.contains { $0.hasPrefix("some.config:3: CONFIG_UNHEARD_OF: wanted y, got n") })

            // The kernel is in the cache now, and that must not make the symbol any less required.
            let error = try await failure(kernel.build("CONFIG_KEPT=y\nCONFIG_UNHEARD_OF=y\n"))
            #expect(error?.exitStatus == .build)
        }
    }

    @Test func missingProgramsAreListedWithTheirPackages() async throws {
        try await withKernel { kernel in
            let bin = kernel.folder.appending("few")
            try bin.appending("x").write("")
            for program in ["gcc", "ld", "bc", "perl"] {
                symlink("/usr/bin/\(program)", bin.appending(program).string)
            }
            var build = try kernel.build()
            build.searchPath = bin.string
            let error = try await failure(build)
            #expect(error?.exitStatus == .environment)
            #expect(error?.description.contains("apt-get install bison flex make ") == true)
        }
    }

    @Test func missingHeaderIsNamedWithItsPackage() async throws {
        let requirement = try #require(BuildRequirement.all.first { $0.name == "gelf.h" })
        #expect(requirement.isNeeded(by: KernelConfig(parsing: "CONFIG_OBJTOOL=y\n")))
        #expect(!requirement.isNeeded(by: KernelConfig(parsing: "# CONFIG_OBJTOOL is not set\n")))
        try await withKernel { kernel in
            // A compiler that finds no headers, and a kernel that is configured to need one.
            let gcc = kernel.folder.appending("bin").appending("gcc")
            try gcc.write("#!/bin/sh\ncase \"$*\" in *-include*) exit 1;; esac\nexec /usr/bin/gcc \"$@\"\n")
            #expect(chmod(gcc.string, 0o755) == 0)
            let makefile = try kernel.tree.appending("Makefile").text()
            try kernel.add("Makefile", makefile.replacing("KEPT|", with: "KEPT|OBJTOOL|"))
            let error = try await failure(kernel.build("CONFIG_OBJTOOL=y\n"))
            #expect(error?.exitStatus == .environment)
            #expect(error?.description.contains("libelf-dev") == true)
        }
    }

    @Test func fullDiskNamesFolderAndFreeBytes() async throws {
        try await withKernel { kernel in
            let makefile = try kernel.tree.appending("Makefile").text()
            try kernel.add("Makefile", makefile.replacing("\techo image > ", with: "\tcp Makefile /dev/full #"))
            let error = await #expect(throws: StorageError.self) { try await kernel.build().build() }
            #expect(error?.exitStatus == .environment)
            guard case .full(let folder, let free) = error else {
                Issue.record("\(String(describing: error))")
                return
            }
            #expect(folder.starts(with: kernel.cache.root))
            #expect(free > 0)
        }
    }

    @Test(arguments: ["with blank", "with:colon"])
    func nameThatKbuildCannotTakeIsExplained(name: String) async throws {
        try await withTemporaryFolder { folder in
            let kernel = try FakeKernel(in: folder.appending(name))
            let error = try await failure(kernel.build())
            #expect(error?.exitStatus == .environment)
            #expect(error?.description.contains("RWP_CACHE") == true)
        }
    }

    @Test func folderWithoutAKernelIsRefused() async throws {
        try await withKernel { kernel in
            try FileManager.default.removeItem(atPath: kernel.tree.appending("Kconfig").string)
            #expect(try await failure(kernel.build()) == .notATree(kernel.tree))
        }
    }

    @Test func treeWithABuildOfItsOwnIsRefused() async throws {
        try await withKernel { kernel in
            try kernel.add(".config", "")
            let error = try await failure(kernel.build())
            #expect(error == .treeNotClean(kernel.tree))
            #expect(error?.exitStatus == .usage)
        }
    }

    @Test func cancelledBuildLeavesNoProcessAndIsContinued() async throws {
        try await withKernel { kernel in
            let makefile = try kernel.tree.appending("Makefile").text()
            let pid = kernel.folder.appending("pid")
            let blocking = "\t@[ $< != two.c ] || { echo '  CC      blocked'; sleep 1000 & echo $$! > \(pid); wait; }\n"
            try kernel.add("Makefile", makefile.replacing("\t@$(CC) -c", with: blocking + "\t@$(CC) -c"))
            // One job and the files' names decide the order: one.o is there when two.c blocks.
            var build = try kernel.build()
            build.jobs = 1
            let task = Task { [build] in try await build.build() }
            while (try? pid.text())?.hasSuffix("\n") != true { try await Task.sleep(for: .milliseconds(10)) }
            task.cancel()
            await #expect(throws: CancellationError.self) { try await task.value }
            let child = try #require(pid_t(try pid.text().trimmingCharacters(in: .whitespacesAndNewlines)))
            // Dead is enough: who reaps an orphan, and when, is the machine's business.
            let stat = (try? FilePath("/proc/\(child)/stat").text()) ?? "gone Z "
            #expect(stat.contains(" Z "), "sleep still runs: \(stat)")

            try kernel.add("Makefile", makefile)
            let image = try await kernel.build().build()
            #expect(try image.log?.text().contains("one.o") == false)
            #expect(try image.log?.text().contains("two.o") == true)
        }
    }
}
