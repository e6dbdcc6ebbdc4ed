// SPDX-License-Identifier: GPL-2.0-only

import Foundation
import SystemPackage
import Testing

@testable import KernelLab

/// Builds a real kernel: minutes, so only where `RWP_TEST_KERNEL_TREE` names a tree, and `RWP_CACHE` a cache.
@Suite(.serialized, .enabled(if: ProcessInfo.processInfo.environment["RWP_TEST_KERNEL_TREE"] != nil))
struct RealKernelTests {
    private let cache = KernelCache()

    private func build(settings: [String], events: EventSink = .discarding) throws -> KernelBuild {
        let tree = try #require(ProcessInfo.processInfo.environment["RWP_TEST_KERNEL_TREE"])
        let configuration = try KernelConfiguration(
            folder: KernelConfigurationTests.fragments,
            architecture: X8664(),
            settings: settings
        )
        return KernelBuild(
            source: SourceTree(path: FilePath(tree), version: "7.2", identity: tree),
            architecture: X8664(),
            configuration: configuration,
            cache: cache,
            events: events
        )
    }

    @Test func projectConfigurationBuildsAndOrdersItsModules() async throws {
        let image = try await build(settings: []).build()
        #expect(image.release?.contains("+") == false)
        let modules = try #require(image.modules)
        let set = try ModuleSet([.init(parsing: "kvm_amd nested=1")], in: modules, release: image.release)
        #expect(set.modules.map(\.name) == ["irqbypass", "kvm", "kvm_amd"])
        #expect(set.modules.map(\.options) == ["", "", "nested=1"])
        // Built in, so nothing to load.
        #expect(try ModuleSet([.init(name: "zram")], in: modules, release: image.release) == .empty)
    }

    @Test func guestProgramAndModulesArePacked() async throws {
        let root = KernelConfigurationTests.fragments.removingLastComponent().removingLastComponent()
        let image = try await build(settings: []).build()
        let program = try await GuestProgram(packageRoot: root, cache: cache, events: .discarding).build()
        let set = try ModuleSet([.init(parsing: "kvm_amd nested=1")], for: image, events: .discarding)
        let archive = try await Initramfs(program: program, modules: set)
            .pack(with: try InitramfsPacker(for: image), cache: cache, events: .discarding)
        let list = try await Tool.find("sh").capture(["-c", "cpio -t < \"$1\"", "sh", archive.path.string])
        for name in ["init", "modules/00-irqbypass.ko", "modules/01-kvm.ko", "modules/02-kvm_amd.ko", "modules/order"] {
            #expect(list.split(separator: "\n").contains(Substring(name)))
        }
    }

    @Test func zramAsAModuleBringsWhatItDependsOn() async throws {
        let image = try await build(settings: ["ZRAM=m", "ZSMALLOC=m"]).build()
        let modules = try #require(image.modules)
        let names = try ModuleSet([.init(name: "zram")], in: modules).modules.map(\.name)
        #expect(names.last == "zram")
        #expect(names.contains("zsmalloc"))
    }
}
