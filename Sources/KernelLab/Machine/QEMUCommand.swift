// SPDX-License-Identifier: GPL-2.0-only

import SystemPackage

/// The arguments of QEMU for one run of a machine (qemu(1)).
struct QEMUCommand {
    /// The name of the virtio-serial port that results come through, which the guest looks for in
    /// /sys/class/virtio-ports/*/name.
    static let portName = "org.uffd-rwp.ktap"

    let machine: MachineDescription
    let accelerator: Accelerator
    let kernel: FilePath
    let initramfs: FilePath
    let commandLine: KernelCommandLine
    let channels: Channels

    /// Where the kernel's console and the guest's results go.
    enum Channels {
        /// Each to a file of its own: neither can garble the other.
        case apart(console: FilePath, ktap: FilePath)
        /// The console to the terminal that QEMU runs on; there are no results.
        case terminal
    }

    var arguments: [String] {
        isolation + cpus + memory + channelArguments + boot + machine.qemu.devices.flatMap { ["-device", $0] }
            + machine.qemu.arguments
    }

    /// Nothing of the host's configuration, no devices but ours, no window; a reset ends QEMU.
    private var isolation: [String] {
        ["-nodefaults", "-no-user-config", "-display", "none", "-no-reboot", "-machine", machine.qemu.machine]
    }

    private var cpus: [String] {
        let accelerated: [String]
        switch accelerator {
        case .kvm: accelerated = ["-accel", "kvm", "-cpu", machine.accelerators.kvm?.cpu ?? "host"]
        case .tcg:
            let options = ["tcg"] + (machine.accelerators.tcg?.options ?? [])
            accelerated = ["-accel", options.joined(separator: ","), "-cpu", machine.accelerators.tcg?.cpu ?? "max"]
        }
        // The kernel warns of a socket whose CPUs are on different nodes, so where there are nodes each CPU has a socket.
        let sockets = machine.numaNodes.count > 1 ? ",sockets=\(machine.cpus),cores=1,threads=1" : ""
        return accelerated + ["-smp", "\(machine.cpus)\(sockets)"]
    }

    private var memory: [String] {
        let nodes = machine.numaNodes.enumerated().flatMap { index, node in
            let cpus = node.cpus.map { ",cpus=\($0)" }.joined()
            return [
                "-object", "memory-backend-ram,id=memory\(index),size=\(node.memoryMiB)M",
                "-numa", "node,nodeid=\(index),memdev=memory\(index)\(cpus)",
            ]
        }
        return ["-m", "\(machine.memoryMiB)M"] + nodes
    }

    private var channelArguments: [String] {
        switch channels {
        case .apart(let console, let ktap):
            [
                "-chardev", "file,id=console,path=\(Self.escaped(console))", "-serial", "chardev:console",
                "-device", machine.qemu.serialBus,
                "-chardev", "file,id=ktap,path=\(Self.escaped(ktap))",
                "-device", "virtserialport,chardev=ktap,name=\(Self.portName)",
            ]
        case .terminal:
            [
                "-chardev", "stdio,id=console,mux=on,signal=off", "-serial", "chardev:console",
                "-mon", "chardev=console,mode=readline",
            ]
        }
    }

    private var boot: [String] {
        ["-kernel", kernel.string, "-initrd", initramfs.string, "-append", commandLine.text]
    }

    /// QEMU splits options at commas, but not at doubled ones.
    private static func escaped(_ path: FilePath) -> String {
        path.string.split(separator: ",", omittingEmptySubsequences: false).joined(separator: ",,")
    }
}
