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
        case image, modules, config, log, release, initramfs
    }

    @OptionGroup(title: "Kernel source") var source: SourceOptions
    @OptionGroup(title: "Kernel build") var build: BuildOptions

    @Option(
        help: """
            What to print: the path of the image, the modules, the .config, the log or the initramfs that 'rwp test' \
            would boot, or the release's name.
            """
    )
    var print = Product.image

    @OptionGroup var screen: ScreenOptions

    func run() async throws {
        let root = try PackageRoot.find()
        let text = try await Screen.during(screen.reader(on: .error, title: "rwp build")) { events in
            let lab = Lab(root: root, events: events)
            let image = try await lab.image(.built(try lab.sourcePlan(source), try lab.configuration(build)))
            return try await printed(image, lab)
        }
        guard let text else {
            throw CommandLineError.badValue(
                print.rawValue,
                option: "--print",
                allowed: "image: this kernel has no modules"
            )
        }
        Output.standardOutput.line(text)
    }

    private func printed(_ image: KernelImage, _ lab: Lab) async throws -> String? {
        switch print {
        case .image: return image.image.string
        case .modules: return image.modules?.string
        case .config: return image.config?.string
        case .log: return image.log?.string
        case .release: return image.release
        case .initramfs:
            let machine = try lab.machine(MachineOptions.defaultMachine)
            return try await lab.initramfs(try await lab.guestProgram(), for: image, on: machine).path.string
        }
    }
}
