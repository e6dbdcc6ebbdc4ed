// SPDX-License-Identifier: GPL-2.0-only

import Foundation
import SystemPackage
import Testing

@testable import KernelLab

@Suite struct ModuleSetTests {
    private func withModules(_ body: (FakeModules) async throws -> Void) async throws {
        try await withTemporaryFolder { folder in
            let modules = try FakeModules(root: folder)
            try await modules.add("base")
            try await modules.add("middle", dependsOn: ["base"], alias: "a-nickname")
            try await modules.add("other", dependsOn: ["base"])
            try await modules.add("top", dependsOn: ["other", "middle"])
            try await modules.add("soft", softdep: "pre: other missing_one post: late")
            try await modules.add("late")
            try await modules.index()
            try await body(modules)
        }
    }

    private func expectOrder(
        of requests: String...,
        is expected: [String],
        in modules: FakeModules,
        at place: SourceLocation = #_sourceLocation
    ) throws {
        let names = try ModuleSet(requests.map(ModuleRequest.init(parsing:)), in: modules.root).modules.map(\.name)
        #expect(names == expected, sourceLocation: place)
    }

    @Test func dependenciesComeFirst() async throws {
        try await withModules { modules in
            let names = try ModuleSet([.init(name: "top")], in: modules.root).modules.map(\.name)
            #expect(names.first == "base")
            #expect(names.last == "top")
            #expect(Set(names) == ["base", "middle", "other", "top"])
            #expect(names.count == 4)
        }
    }

    @Test func softDependenciesStandOnBothSidesAndMayBeMissing() async throws {
        try await withModules { modules in
            try expectOrder(of: "soft", is: ["base", "other", "soft", "late"], in: modules)
        }
    }

    @Test func orderOfRequestsIsKept() async throws {
        try await withModules { modules in
            try expectOrder(of: "late", "middle", "base", is: ["late", "base", "middle"], in: modules)
            try expectOrder(of: "middle", "late", "late", is: ["base", "middle", "late"], in: modules)
        }
    }

    @Test func aliasesAndDashesWork() async throws {
        try await withModules { modules in
            try expectOrder(of: "a-nickname", is: ["base", "middle"], in: modules)
        }
    }

    @Test func optionsStayWithTheirModule() async throws {
        try await withModules { modules in
            let set = try ModuleSet(
                [.init(parsing: "middle a=1 b=\"x y\""), .init(parsing: "base")],
                in: modules.root
            )
            #expect(set.modules.map(\.options) == ["", "a=1 b=\"x y\""])
        }
    }

    @Test(arguments: [["xz", "--check=crc32"], ["zstd", "-q", "--rm"]])
    func compressedModulesAreUnderstood(command: [String]) async throws {
        try await withModules { modules in
            for name in ["base", "middle"] {
                let file = modules.folder.appending("\(name).ko").string
                try await Tool.find(command[0]).run(command.dropFirst() + [file])
            }
            try await modules.index()
            try expectOrder(of: "middle", is: ["base", "middle"], in: modules)
            try modules.remove("base", suffix: command[0] == "xz" ? ".xz" : ".zst")
            #expect(throws: ModuleError.self) { try ModuleSet([.init(name: "middle")], in: modules.root) }
        }
    }

    @Test func builtinNeedsNoFile() async throws {
        try await withModules { modules in
            try expectOrder(of: "builtin_one", "late", is: ["late"], in: modules)
        }
    }

    @Test func kernelWithoutModulesGetsANoteThatNamesThem() throws {
        let notes = Notes()
        let image = KernelImage(image: "/boot/image")
        #expect(try ModuleSet([.init(name: "zram")], for: image, events: notes.sink) == .empty)
        #expect(notes.all.count == 1 && notes.all[0].contains("zram"))
        #expect(try ModuleSet([], for: image, events: notes.sink) == .empty)
        #expect(notes.all.count == 1)
    }

    @Test func noRequestsNeedNoFolder() throws {
        #expect(try ModuleSet([], in: "/nowhere") == .empty)
    }

    @Test func folderOfTheReleaseItselfWorks() async throws {
        try await withModules { modules in
            let set = try ModuleSet([.init(name: "late")], in: modules.folder)
            #expect(set.modules.count == 1)
        }
    }
}

@Suite struct ModuleSetFailureTests {
    private func failure(_ request: String, in root: FilePath, release: String? = nil) -> ModuleError? {
        let error = #expect(throws: ModuleError.self) {
            try ModuleSet([.init(parsing: request)], in: root, release: release)
        }
        #expect(error?.exitStatus == .environment)
        return error
    }

    @Test func unknownModuleIsNamedWithTheFolder() async throws {
        try await withTemporaryFolder { folder in
            let modules = try FakeModules(root: folder)
            try await modules.index()
            let error = failure("zram", in: folder)
            #expect(error == .unknown(module: "zram", neededBy: nil, folder: modules.folder))
            #expect(error?.description.contains("--set ZRAM=m") == true)
        }
    }

    @Test func deletedDependencyIsNamedWithWhoNeedsIt() async throws {
        try await withTemporaryFolder { folder in
            let modules = try FakeModules(root: folder)
            try await modules.add("base")
            try await modules.add("top", dependsOn: ["base"])
            try await modules.index()
            try modules.remove("base")
            let file = modules.folder.appending("base.ko")
            #expect(failure("top", in: folder) == .noFile(module: "base", file: file, neededBy: "top"))
        }
    }

    @Test func dependencyThatTheIndexForgotIsNamedToo() async throws {
        try await withTemporaryFolder { folder in
            let modules = try FakeModules(root: folder)
            try await modules.add("base")
            try await modules.add("top", dependsOn: ["base"])
            try modules.remove("base")
            try await modules.index()
            let error = failure("top", in: folder)
            #expect(error == .unknown(module: "base", neededBy: "top", folder: modules.folder))
            #expect(error?.description.contains("base, which top depends on, is neither in") == true)
        }
    }

    @Test func damagedModuleIsNamed() async throws {
        try await withTemporaryFolder { folder in
            let modules = try FakeModules(root: folder)
            try await modules.add("base")
            try await modules.index()
            try modules.folder.appending("base.ko").write("no ELF")
            guard case .unreadable("base", modules.folder.appending("base.ko"), _) = failure("base", in: folder) else {
                Issue.record("not reported as unreadable")
                return
            }
        }
    }

    @Test func foreignReleaseIsRefused() async throws {
        try await withTemporaryFolder { folder in
            try await FakeModules(root: folder, release: "6.1.0").index()
            #expect(
                failure("zram", in: folder, release: "7.2.99")
                    == .wrongRelease(root: folder, wanted: "7.2.99", found: ["6.1.0"])
            )
            try await FakeModules(root: folder, release: "6.1.1").index()
            #expect(
                failure("zram", in: folder) == .wrongRelease(root: folder, wanted: nil, found: ["6.1.0", "6.1.1"])
            )
        }
    }

    @Test func folderWithoutAnIndexIsRefused() async throws {
        try await withTemporaryFolder { folder in
            let modules = try FakeModules(root: folder)
            try modules.folder.appending("modules.dep").write("")
            #expect(failure("zram", in: modules.folder) == .notIndexed(folder: modules.folder))
            #expect(failure("zram", in: folder.appending("nothing"))?.description.contains("there are none") == true)
        }
    }
}
