// SPDX-License-Identifier: GPL-2.0-only

import ArgumentParser
import KernelLab

/// Which kernel source, and what is applied to it.
struct SourceOptions: ParsableArguments {
    /// The base that everything is tried on unless the command line names another.
    static let defaultBase = "v7.2"

    @Option(
        help: ArgumentHelp(
            "The kernel version to fetch: from the cache, kernel.org or Debian (default: \(defaultBase)).",
            discussion: "The newest stable release of that version is taken; name all three numbers for a certain one.",
            valueName: "version"
        )
    )
    var base: String?

    @Option(
        help: ArgumentHelp("A kernel tree of yours, instead of --base. It is not written to.", valueName: "dir"),
        completion: .directory
    )
    var tree: String?

    @Flag(
        name: .customLong("in-place"),
        help: "Apply the series to the --tree itself, with git am, and build it there."
    )
    var inPlace = false

    @Option(
        help: ArgumentHelp(
            "The patches to apply: a name under kernel-patches, a folder, or 'none' (default: the base's own series).",
            valueName: "name|none|dir"
        )
    )
    var series: String?

    func validate() throws {
        if base != nil, tree != nil {
            throw CommandLineError.contradiction(
                "--base",
                "--tree",
                wayOut: "--tree is the source already, so leave --base out"
            )
        }
        if inPlace, tree == nil { throw CommandLineError.needs("--tree DIR", option: "--in-place") }
        if let base { _ = try Base(base) }
    }

    /// The first option that was given, for messages; nil where none was.
    var given: String? {
        if base != nil { return "--base" }
        if tree != nil { return "--tree" }
        return series != nil ? "--series" : nil
    }
}
