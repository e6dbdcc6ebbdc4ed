// SPDX-License-Identifier: GPL-2.0-only

import ArgumentParser
import Foundation
import KernelLab
import SystemPackage

/// `rwp shell`: the machine that scenarios run on, for a person.
struct ShellCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "shell",
        abstract: "Boot a kernel with a shell on this terminal.",
        discussion: """
            The machine is set up as scenarios find it, and 'uffd-selftest' is there to run them by hand. Leave with \
            'exit' (powers off), or with Ctrl-A X, which ends QEMU at once. Ctrl-C goes to what runs in the machine. \
            Nothing written in it is kept.

            EXAMPLES
              rwp shell                          base v7.2 with its series
              rwp shell --kernel bzImage         a kernel that is built already
              rwp shell --tree ~/linux --series none
            """
    )

    @OptionGroup var kernel: KernelOptions
    @OptionGroup(title: "Virtual machine") var machine: MachineOptions
    @OptionGroup var screen: ScreenOptions

    func run() async throws {
        guard isatty(STDIN_FILENO) == 1, isatty(STDOUT_FILENO) == 1 else { throw CommandLineError.noTerminal }
        let busybox = try Tool.find("busybox")
        let root = try PackageRoot.find()
        let terminal = try await Screen.during(screen.reader(on: .output, title: "rwp shell")) { events in
            try await prepare(Lab(root: root, events: events), busybox: busybox)
        }
        Output.standardOutput.line("Booting. Leave with 'exit', or with Ctrl-A X.")
        try await terminal.run()
    }

    private func prepare(_ lab: Lab, busybox: Tool) async throws -> TerminalMachine {
        let description = try lab.machine(machine.machine)
        let plan = try lab.kernelPlan(kernel)
        let (image, program) = try await sideBySide({ try await lab.image(plan) }, { try await lab.guestProgram() })
        // The list may name busybox itself: a link of that name would take the program's place.
        let applets = Set(try await busybox.capture(["--list"]).split(separator: "\n")).subtracting(["busybox"])
        let initramfs = try await lab.initramfs(
            program,
            for: image,
            on: description,
            adding: [.init(source: busybox.path, destination: "/bin/busybox")],
            links: Dictionary(uniqueKeysWithValues: applets.map { (FilePath("/bin/\($0)"), "busybox") })
        )
        return TerminalMachine(
            description: description,
            kernel: image.image,
            initramfs: initramfs.path,
            guestArguments: ["--shell"],
            accelerator: machine.accel
        )
    }
}
