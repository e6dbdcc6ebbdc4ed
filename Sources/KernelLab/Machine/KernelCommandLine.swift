// SPDX-License-Identifier: GPL-2.0-only

/// The kernel's command line: what the kernel is told, then `--`, then the arguments of the guest program, which the
/// kernel starts as PID 1 (`Documentation/admin-guide/kernel-parameters.rst`).
struct KernelCommandLine {
    /// The whole line.
    let text: String

    /// More words after `--` make the kernel panic (`CONFIG_INIT_ENV_ARG_LIMIT`, whose default nobody changes).
    static let guestArgumentLimit = 32

    /// - Throws: `MachineError.commandLine` for what the kernel would cut off, split or panic over.
    init(machine: MachineDescription, guestArguments: [String]) throws(MachineError) {
        // panic=-1 reboots at once, and QEMU's -no-reboot makes an exit of that: a panic ends QEMU.
        let words = ["console=\(machine.kernel.console)", "panic=-1"] + machine.kernel.arguments
        guard guestArguments.count <= Self.guestArgumentLimit else {
            let limit = Self.guestArgumentLimit
            throw .commandLine(
                "the guest program gets \(guestArguments.count) arguments, and the kernel passes \(limit)"
            )
        }
        for argument in guestArguments {
            guard let reason = Self.complaint(about: argument) else { continue }
            throw .commandLine("the guest program's argument “\(argument)” \(reason)")
        }
        let all = words + (guestArguments.isEmpty ? [] : ["--"] + guestArguments)
        text = all.map(Self.quoted).joined(separator: " ")
        // Without this the kernel would cut the line off and start the wrong scenarios.
        let size = Architectures.named(machine.architecture)?.commandLineSize ?? 0
        guard text.utf8.count < size else {
            throw .commandLine("the kernel's command line has \(text.utf8.count) bytes, and \(size - 1) fit")
        }
    }

    /// Why the kernel cannot be given `argument`, to follow its name; nil where it can.
    static func complaint(about argument: String) -> String? {
        if argument.isEmpty { return "is empty, and the kernel drops empty arguments" }
        if argument.contains("\"") { return "has a double quote, which the kernel cannot be given" }
        let isControl = argument.unicodeScalars.contains { $0.value < 0x20 || $0.value == 0x7F }
        return isControl ? "has a control character" : nil
    }

    /// The kernel splits at spaces outside double quotes and drops a pair around a whole argument (lib/cmdline.c,
    /// `next_arg()`).
    private static func quoted(_ argument: String) -> String {
        argument.contains(" ") ? "\"\(argument)\"" : argument
    }
}
