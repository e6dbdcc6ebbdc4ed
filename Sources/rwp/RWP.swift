// SPDX-License-Identifier: GPL-2.0-only

import ArgumentParser
import KernelLab

/// Builds kernels with userfaultfd read-write protection and proves them in virtual machines.
@main
struct RWP: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rwp",
        abstract: "Build a kernel with userfaultfd read-write protection, boot it in QEMU and prove it."
    )
}
