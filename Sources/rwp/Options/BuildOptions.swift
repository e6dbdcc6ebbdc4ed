// SPDX-License-Identifier: GPL-2.0-only

import ArgumentParser
import KernelLab

/// How the kernel is configured.
struct BuildOptions: ParsableArguments {
    @Option(
        name: [.customLong("flavor"), .customLong("flavour")],
        help: """
            How the kernel is built: debug has KASAN, lockdep and all other checks, and is slow; no-marker lacks \
            PTE_MARKER_UFFD_WP.
            """
    )
    var flavor = KernelFlavour.standard

    @Option(
        name: .customLong("config"),
        help: ArgumentHelp("A Kconfig fragment that is merged last. May be repeated.", valueName: "file"),
        completion: .file()
    )
    var configs: [String] = []

    @Option(
        name: .customLong("set"),
        help: ArgumentHelp(
            "One Kconfig symbol, as in KSM=n; wins over all files. May be repeated.",
            valueName: "symbol=value"
        )
    )
    var settings: [String] = []

    func validate() throws {
        for setting in settings where setting.wholeMatch(of: #/(CONFIG_)?[A-Za-z0-9_]+=.+/#) == nil {
            throw CommandLineError.badValue(setting, option: "--set", allowed: "SYMBOL=VALUE, as in KSM=n")
        }
    }

    /// The first option that was given, for messages; nil where none was.
    var given: String? {
        if flavor != .standard { return "--flavor" }
        if !configs.isEmpty { return "--config" }
        return settings.isEmpty ? nil : "--set"
    }
}

extension KernelFlavour: ExpressibleByArgument {}
