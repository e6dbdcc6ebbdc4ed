// SPDX-License-Identifier: GPL-2.0-only

import Subprocess
import SystemPackage

/// Boots a kernel in QEMU with its console on the terminal of this process, for a person.
///
/// QEMU makes the terminal raw and restores it. Ctrl-A X ends it (qemu(1), "Keys in the character backend multiplexer").
public struct TerminalMachine: Sendable {
    /// What to boot it on.
    public var description: MachineDescription
    /// The kernel image.
    public var kernel: FilePath
    /// The initramfs with the guest program as /init.
    public var initramfs: FilePath
    /// The guest program's arguments, after those that the description's `[guest]` makes.
    public var guestArguments: [String]
    /// What the user wants the CPUs to be run by.
    public var accelerator: AcceleratorChoice

    /// Describes a machine; nothing is started.
    public init(
        description: MachineDescription,
        kernel: FilePath,
        initramfs: FilePath,
        guestArguments: [String] = [],
        accelerator: AcceleratorChoice = .auto
    ) {
        self.description = description
        self.kernel = kernel
        self.initramfs = initramfs
        self.guestArguments = guestArguments
        self.accelerator = accelerator
    }

    /// Runs the machine until it is powered off, or ended by its user.
    ///
    /// - Throws: `ToolError` and `MachineError` where it cannot be started or QEMU fails, and `CancellationError`.
    public func run() async throws {
        let qemu = try await QEMUProgram.find(for: description)
        let plan = try HostVirtualisation.current.plan(for: description, choice: accelerator)
        let command = QEMUCommand(
            machine: description,
            accelerator: plan.first,
            kernel: kernel,
            initramfs: initramfs,
            commandLine: try KernelCommandLine(
                machine: description,
                guestArguments: description.guest.arguments + guestArguments
            ),
            channels: .terminal
        )
        // In our own process group, unlike every other tool: only the terminal's foreground group may read from it.
        var options = PlatformOptions()
        options.teardownSequence = [.gracefulShutDown(allowedDurationToNextStep: qemu.tool.grace)]
        let result = try await Subprocess.run(
            .path(qemu.tool.path),
            arguments: Arguments(command.arguments),
            platformOptions: options,
            input: .currentStandardInput,
            output: .currentStandardOutput,
            error: .currentStandardError
        )
        try Task.checkCancellation()
        guard result.terminationStatus.isSuccess else {
            throw MachineError.qemuRefused(
                program: description.qemu.binary,
                status: "\(result.terminationStatus)",
                messages: []
            )
        }
    }
}
