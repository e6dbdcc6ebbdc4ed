// SPDX-License-Identifier: GPL-2.0-only

import ArgumentParser

/// The kernel to boot: one that is built, or one that is brought.
struct KernelOptions: ParsableArguments {
    @OptionGroup(title: "Kernel source")
    var source: SourceOptions

    @OptionGroup(title: "Kernel build")
    var build: BuildOptions

    @Option(
        help: ArgumentHelp("A bootable kernel image; nothing is fetched, patched or built.", valueName: "image"),
        completion: .file()
    )
    var kernel: String?

    @Option(
        help: ArgumentHelp(
            "The modules of --kernel: what 'make modules_install' filled, or a lib/modules/RELEASE.",
            valueName: "dir"
        ),
        completion: .directory
    )
    var modules: String?

    func validate() throws {
        if modules != nil, kernel == nil { throw CommandLineError.needs("--kernel IMAGE", option: "--modules") }
        if kernel != nil, let other = source.given ?? build.given {
            throw CommandLineError.contradiction(
                "--kernel",
                other,
                wayOut: "a kernel that is built already has its source and configuration"
            )
        }
    }
}
