// SPDX-License-Identifier: GPL-2.0-only

import ArgumentParser
import KernelLab
import SystemPackage

/// `rwp build`: a kernel, and where it is.
struct BuildCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "build",
        abstract: "Build a kernel and print the path of its image.",
        discussion: """
            The kernel is kept in the cache under a key of its source, series, configuration and compiler: what is \
            there is not built again. Progress goes to standard error, the path to standard output.

            EXAMPLES
              rwp build                                   base v7.2 with its series
              rwp build --series none                     unpatched
              rwp build --flavor debug                    with KASAN, lockdep and the like
              rwp build --tree ~/linux --set KSM=n        a tree of yours, one symbol off
              image=$(rwp build --quiet)                  for scripts
              modules=$(rwp build --quiet --print modules)
            """
    )

    /// What of a built kernel can be printed.
    enum Product: String, ExpressibleByArgument, CaseIterable {
        case image, modules, config, log, release

        func path(in image: KernelImage) -> String? {
            switch self {
            case .image: image.image.string
            case .modules: image.modules?.string
            case .config: image.config?.string
            case .log: image.log?.string
            case .release: image.release
            }
        }
    }

    @OptionGroup(title: "Kernel source") var source: SourceOptions
    @OptionGroup(title: "Kernel build") var build: BuildOptions

    @Option(help: "What to print: the path of the image, the modules, the .config or the log, or the release's name.")
    var print = Product.image

    @OptionGroup var screen: ScreenOptions

    func run() async throws {
        let root = try PackageRoot.find()
        let image = try await Screen.during(screen.reader(on: .error, title: "rwp build")) { events in
            let lab = Lab(root: root, events: events)
            return try await lab.image(.built(try lab.sourcePlan(source), try lab.configuration(build)))
        }
        guard let text = print.path(in: image) else {
            throw CommandLineError.badValue(
                print.rawValue,
                option: "--print",
                allowed: "image: this kernel has no modules"
            )
        }
        Output.standardOutput.line(text)
    }
}
