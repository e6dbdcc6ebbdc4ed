// SPDX-License-Identifier: GPL-2.0-only

import Foundation
import SystemPackage

/// Boots a kernel in QEMU, listens to it until it ends, and returns what it said.
///
/// The guest program is PID 1. It writes KTAP to the virtio-serial port `org.uffd-rwp.ktap`; the serial console is the
/// kernel's alone.
public struct VirtualMachine: Sendable {
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
    /// Where the streams are kept: `console.log`, `ktap.txt`. Made if need be.
    public var workDirectory: FilePath
    /// Where progress goes.
    public var events: EventSink
    /// What the description's limits are multiplied by: for slow kernels (KASAN) and busy hosts.
    public var timeScale: Double

    /// Describes a run; nothing is started.
    public init(
        description: MachineDescription,
        kernel: FilePath,
        initramfs: FilePath,
        guestArguments: [String] = [],
        accelerator: AcceleratorChoice = .auto,
        workDirectory: FilePath,
        events: EventSink = .discarding,
        timeScale: Double = 1
    ) {
        self.description = description
        self.kernel = kernel
        self.initramfs = initramfs
        self.guestArguments = guestArguments
        self.accelerator = accelerator
        self.workDirectory = workDirectory
        self.events = events
        self.timeScale = timeScale
    }

    /// Runs the machine to its end.
    ///
    /// A machine that panics, hangs or loses its QEMU is a result, with whatever came before. When the task is cancelled,
    /// QEMU is ended and reaped.
    ///
    /// - Throws: `ToolError` and `MachineError` where the machine cannot be started or its streams not be kept, and
    ///   `CancellationError`.
    public func run() async throws -> MachineRun {
        let qemu = try await QEMUProgram.find(for: description)
        for file in [kernel, initramfs] { try checkReadable(file) }
        let commandLine = try KernelCommandLine(
            machine: description,
            guestArguments: description.guest.arguments + guestArguments
        )
        try makeWorkDirectory()

        let plan = try HostVirtualisation.current.plan(for: description, choice: accelerator)
        var notes: [String] = []
        if let note = plan.note { tell(note, in: &notes) }
        var attempt = try await boot(on: plan.first, qemu, commandLine)
        if let fallback = plan.fallback, let reason = attempt.outcome.ending.acceleratorFailure {
            tell("\(reason); using \(fallback.rawValue.uppercased())", in: &notes)
            attempt = try await boot(on: fallback, qemu, commandLine)
        }
        return try run(of: attempt, qemu, commandLine, notes)
    }

    /// One start of QEMU, and what it was started with.
    private struct Attempt {
        var accelerator: Accelerator
        var arguments: [String]
        var outcome: MachineSession.Outcome
    }

    private func boot(
        on accelerator: Accelerator,
        _ qemu: QEMUProgram,
        _ commandLine: KernelCommandLine
    ) async throws -> Attempt {
        let pipes = try MachinePipes(in: workDirectory)
        let command = QEMUCommand(
            machine: description,
            accelerator: accelerator,
            kernel: kernel,
            initramfs: initramfs,
            commandLine: commandLine,
            channels: .apart(console: pipes.console, ktap: pipes.ktap)
        )
        let session = MachineSession(
            qemu: qemu.tool,
            arguments: command.arguments,
            pipes: pipes,
            limits: .init(description, accelerator: accelerator, scale: timeScale),
            folder: workDirectory,
            events: events
        )
        return Attempt(accelerator: accelerator, arguments: command.arguments, outcome: try await session.run())
    }

    private func run(
        of attempt: Attempt,
        _ qemu: QEMUProgram,
        _ commandLine: KernelCommandLine,
        _ notes: [String]
    ) throws(MachineError) -> MachineRun {
        let outcome = attempt.outcome
        let end: MachineEnd
        switch outcome.ending {
        case .ran(let how): end = how
        case .silentAccelerator(let seconds): end = .hung(.boot, afterSeconds: seconds)
        case .refused(let status, let messages):
            throw .qemuRefused(program: description.qemu.binary, status: status, messages: messages)
        }
        return MachineRun(
            suite: outcome.suite,
            end: end,
            accelerator: attempt.accelerator,
            qemuVersion: qemu.version.description,
            qemuCommand: [qemu.tool.path.string] + attempt.arguments,
            kernelCommandLine: commandLine.text,
            kernelRelease: outcome.kernelRelease,
            consoleLog: outcome.consoleLog,
            ktapLog: outcome.ktapLog,
            lastConsoleLines: outcome.lastConsoleLines,
            notes: notes,
            started: outcome.started,
            bootTime: outcome.bootTime,
            totalTime: outcome.totalTime
        )
    }

    private func tell(_ note: String, in notes: inout [String]) {
        notes.append(note)
        events.send(.note(note))
    }

    private func checkReadable(_ file: FilePath) throws(MachineError) {
        do {
            try FileDescriptor.open(file, .readOnly, options: .closeOnExec).close()
        } catch {
            throw .unreadable(file: file, error: error as? Errno ?? .ioError)
        }
    }

    private func makeWorkDirectory() throws(MachineError) {
        do {
            try FileManager.default.createDirectory(atPath: workDirectory.string, withIntermediateDirectories: true)
        } catch {
            throw .unwritable(file: workDirectory, error: error.errno)
        }
    }
}
