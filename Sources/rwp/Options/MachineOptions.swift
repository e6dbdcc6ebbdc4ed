// SPDX-License-Identifier: GPL-2.0-only

import ArgumentParser
import KernelLab

/// The virtual machine to boot.
struct MachineOptions: ParsableArguments {
    /// The machine that everything is tried on unless the command line names another.
    static let defaultMachine = "x86_64"

    @Option(help: ArgumentHelp("A machine of qemu-images/machines, or a TOML file of yours.", valueName: "name|file"))
    var machine = Self.defaultMachine

    @Option(help: "What runs the machine's CPUs; auto takes KVM where the CPU has it.")
    var accel = AcceleratorChoice.auto
}

extension AcceleratorChoice: ExpressibleByArgument {}
