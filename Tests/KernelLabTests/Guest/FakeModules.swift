// SPDX-License-Identifier: GPL-2.0-only

import Foundation
import SystemPackage

@testable import KernelLab

/// A `lib/modules/RELEASE` of real, if empty, modules, indexed by the real depmod.
struct FakeModules {
    /// What holds lib/modules.
    let root: FilePath
    let release: String
    var folder: FilePath { root.pushing("lib/modules").appending(release) }

    init(root: FilePath, release: String = "7.2.99") throws {
        self.root = root
        self.release = release
        try folder.appending("modules.order").write("")
        try folder.appending("modules.builtin").write("kernel/mm/builtin_one.ko\n")
        try folder.appending("modules.builtin.modinfo").write("builtin_one.license=GPL\0")
    }

    /// Compiles a module that exports `NAME_symbol` and uses the symbols of `dependencies`.
    func add(
        _ name: String,
        dependsOn dependencies: [String] = [],
        softdep: String? = nil,
        alias: String? = nil
    ) async throws {
        var info = ["license=GPL", "name=\(name)", "depends=\(dependencies.joined(separator: ","))"]
        if let softdep { info.append("softdep=\(softdep)") }
        if let alias { info.append("alias=\(alias)") }
        var text = ".section .modinfo,\"a\"\n" + info.map { ".asciz \"\($0)\"\n" }.joined()
        // How modules export: the name among __ksymtab_strings, the symbol that depmod reads as __ksymtab_NAME.
        text += ".section __ksymtab_strings,\"aMS\",@progbits,1\n.asciz \"\(name)_symbol\"\n"
        text += ".data\n.globl __ksymtab_\(name)_symbol\n__ksymtab_\(name)_symbol: .quad 0\n"
        text += dependencies.map { ".quad \($0)_symbol\n" }.joined()
        let source = root.appending("\(name).s")
        try source.write(text)
        let object = folder.appending("\(name).ko")
        try await Tool.find("gcc").run(["-c", "-o", object.string, source.string])
    }

    /// Runs depmod over what is there.
    func index() async throws {
        try await Tool.find("depmod", searchPath: "/usr/sbin:/sbin:/usr/bin:/bin").run(["-b", root.string, release])
    }

    func remove(_ name: String, suffix: String = "") throws {
        try FileManager.default.removeItem(atPath: folder.appending("\(name).ko\(suffix)").string)
    }
}
