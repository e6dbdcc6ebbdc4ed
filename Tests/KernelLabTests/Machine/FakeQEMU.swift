// SPDX-License-Identifier: GPL-2.0-only

import Foundation
import SystemPackage

@testable import KernelLab

/// A shell script in QEMU's place, which opens the machine's FIFOs as QEMU does and then misbehaves on demand.
struct FakeQEMU {
    /// The machine that runs it.
    var machine: VirtualMachine
    /// Where the script and the streams are.
    let folder: FilePath

    /// Puts a script into `folder`.
    ///
    /// - Parameters:
    ///   - body: Runs with the console on descriptor 3, KTAP on 4 and QEMU's arguments as arguments; `$accel` is "tcg" or
    ///     "kvm".
    ///   - version: The first line of `--version`.
    init(in folder: FilePath, version: String = "QEMU emulator version 7.2.22 (Debian)", _ body: String) throws {
        self.folder = folder
        let script = folder.appending("qemu-system-fake")
        try script.write(
            """
            #!/bin/bash
            if [ "$1" = --version ]; then echo '\(version)'; exit 0; fi
            echo $$ > '\(folder)/pid'
            console=$(printf '%s\\n' "$@" | sed -n 's/^file,id=console,path=//p' | sed 's/,,/,/g')
            ktap=$(printf '%s\\n' "$@" | sed -n 's/^file,id=ktap,path=//p' | sed 's/,,/,/g')
            case " $* " in *' -accel kvm '*) accel=kvm;; *) accel=tcg;; esac
            exec 3>"$console" 4>"$ktap"
            \(body)
            """
        )
        try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: script.string)
        for file in ["kernel", "initramfs"] { try folder.appending(file).write("") }
        var description = try ShippedMachine.description()
        description.qemu.binary = script.string
        machine = VirtualMachine(
            description: description,
            kernel: folder.appending("kernel"),
            initramfs: folder.appending("initramfs"),
            accelerator: .tcg,
            workDirectory: folder.appending("work")
        )
    }

    /// Runs it to its end.
    func run() async throws -> MachineRun {
        try await machine.run()
    }

    /// Whether the script still runs.
    func isRunning() throws -> Bool {
        let pid = try folder.appending("pid").text().trimmingCharacters(in: .whitespacesAndNewlines)
        return FilePath("/proc/\(pid)").exists
    }
}

/// What a well-behaved guest sends, for scripts: descriptor 4 is the KTAP port, 3 the console.
let goodGuest = """
    echo 'Linux version 7.2.13-rwp (gcc)' >&3
    printf 'KTAP version 1\\n1..2\\n# running a.anon\\nok 1 a.anon\\n# running b\\nok 2 b\\n# Totals: pass:2 fail:0 skip:0\\n' >&4
    """

/// What a guest sends up to the middle of its second scenario.
let halfGuest = """
    echo 'Linux version 7.2.13-rwp (gcc)' >&3
    printf 'KTAP version 1\\n1..2\\n# running a.anon\\nok 1 a.anon\\n# running b.shmem\\n' >&4
    """
