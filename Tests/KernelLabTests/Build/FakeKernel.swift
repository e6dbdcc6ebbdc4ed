// SPDX-License-Identifier: GPL-2.0-only

import Foundation
import SystemPackage

@testable import KernelLab

/// A source tree of a few lines that answers to the make targets of a kernel, and everything to build it with.
struct FakeKernel {
    let folder: FilePath
    let tree: FilePath
    let cache: KernelCache
    /// What the build's `make` was called with, a line each.
    let calls: FilePath

    /// The least that kbuild's interface promises, compiling each C file of the tree for real. Kconfig of this kernel
    /// knows the symbols KEPT and MODULES, and keeps no other.
    private static let makefile = """
        objects := $(patsubst %.c,$(O)/%.o,$(wildcard *.c))
        allnoconfig:
        \tmkdir -p $(O)/include/config $(O)/arch/x86/boot $(O)/usr
        \tgrep -E '^CONFIG_(KEPT|MODULES)=' $(KCONFIG_ALLCONFIG) > $(O)/.config; true
        \techo 7.2.99 > $(O)/include/config/kernel.release
        olddefconfig:
        bzImage: $(objects)
        \ttouch $(O)/System.map $(O)/vmlinux $(O)/usr/gen_init_cpio
        \techo image > $(O)/arch/x86/boot/bzImage
        modules:
        modules_install:
        \tmkdir -p $(INSTALL_MOD_PATH)/lib/modules/7.2.99
        \tln -s $(O) $(INSTALL_MOD_PATH)/lib/modules/7.2.99/build
        $(O)/%.o: %.c
        \t@echo '  CC      $@'
        \t@$(CC) -c -o $@ $<
        .PHONY: allnoconfig olddefconfig bzImage modules modules_install

        """

    /// - Parameter inCache: Whether the tree is one of the cache's, or the user's.
    init(in folder: FilePath, inCache: Bool = true) throws {
        self.folder = folder
        cache = KernelCache(root: folder.appending("cache"))
        tree = inCache ? try cache.folder(.trees).appending("t") : folder.appending("tree")
        calls = folder.appending("calls")
        try tree.appending("Makefile").write(Self.makefile)
        try tree.appending("Kconfig").write("")
        try tree.appending("mm").appending("Kconfig").write("config HELD_BACK\n\tbool\n\tdepends on NOTHING\n")
        try add("one.c", "int one;\n")
        try add("two.c", "int two;\n")
        let make = folder.appending("bin").appending("make")
        try make.write("#!/bin/sh\necho \"$*\" >> '\(calls)'\nexec /usr/bin/make \"$@\"\n")
        try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: make.string)
    }

    /// Writes a source file of the tree.
    func add(_ name: String, _ text: String) throws {
        try tree.appending(name).write(text)
    }

    /// A build of it.
    func build(
        _ config: String = "CONFIG_KEPT=y\n",
        identity: String = "1",
        events: EventSink = .discarding
    ) throws -> KernelBuild {
        var build = KernelBuild(
            source: SourceTree(path: tree, version: "7.2.99", identity: identity),
            architecture: X8664(),
            configuration: KernelConfiguration(
                fragments: [try KconfigFragment(parsing: config, path: "some.config")]
            ),
            cache: cache,
            events: events
        )
        build.searchPath = "\(folder.appending("bin")):/usr/bin:/bin:/usr/sbin:/sbin"
        return build
    }

    /// How often make was started.
    var callCount: Int {
        ((try? calls.text()) ?? "").split(separator: "\n").count
    }
}
