// SPDX-License-Identifier: GPL-2.0-only

import ArgumentParser

/// The kernel to compare the one under test with.
struct ReferenceOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "A second kernel to compare with: 'stock' is the same one without patches.",
            valueName: "stock|image"
        ),
        completion: .file()
    )
    var against: String?

    /// Refuses a comparison of a kernel with itself.
    func validate(with kernel: KernelOptions) throws {
        if against == "stock", kernel.source.series == "none" {
            throw CommandLineError.contradiction(
                "--against stock",
                "--series none",
                wayOut: "the kernel has no patches that could make a difference"
            )
        }
    }
}
