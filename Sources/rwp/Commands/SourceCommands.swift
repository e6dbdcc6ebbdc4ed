// SPDX-License-Identifier: GPL-2.0-only

import ArgumentParser
import KernelLab

/// `rwp fetch`: a kernel's source, and where it is.
struct FetchCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "fetch",
        abstract: "Fetch a kernel's source and print the folder that it is in.",
        discussion: """
            It comes from the cache, else kernel.org, else Debian, and its signature or checksum is verified. The folder belongs to \
            the cache: copy it before you change it.

            EXAMPLES
              rwp fetch                  the newest v7.2
              rwp fetch --base v7.3      another version
              cp -a "$(rwp fetch -q)" ~/linux
            """
    )

    @Option(help: ArgumentHelp("The kernel version (default: \(SourceOptions.defaultBase)).", valueName: "version"))
    var base: String?

    @OptionGroup var screen: ScreenOptions

    func run() async throws {
        let root = try PackageRoot.find()
        let tree = try await Screen.during(screen.reader(on: .error, title: "rwp fetch")) { events in
            try await Lab(root: root, events: events).pristineTree(.base(base ?? SourceOptions.defaultBase))
        }
        Output.standardOutput.line(tree.path.string)
    }
}

/// `rwp patch`: a source with a series applied, and where it is.
struct PatchCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "patch",
        abstract: "Apply a series and print the folder of the patched source.",
        discussion: """
            The series is applied with 'git am' to a copy in the cache; with --in-place to your own tree, as commits \
            on its current branch. A patch that does not apply is named, with the file and the reject.

            EXAMPLES
              rwp patch                               base v7.2 with its series
              rwp patch --tree ~/linux                does it apply to this tree? (which is not changed)
              rwp patch --tree ~/linux --in-place     put it there
              rwp patch --series ./my-patches         patches of yours
            """
    )

    @OptionGroup(title: "Kernel source") var source: SourceOptions
    @OptionGroup var screen: ScreenOptions

    func run() async throws {
        let root = try PackageRoot.find()
        let tree = try await Screen.during(screen.reader(on: .error, title: "rwp patch")) { events in
            let lab = Lab(root: root, events: events)
            return try await lab.patchedTree(try lab.sourcePlan(source))
        }
        Output.standardOutput.line(tree.path.string)
    }
}
