// SPDX-License-Identifier: GPL-2.0-only

import SystemPackage

/// A virtual machine as data: what `qemu-images/machines/*.toml` says.
///
/// Sizes are in MiB and times in seconds, as their keys say. `qemu-images/README.md` documents every key.
public struct MachineDescription: Sendable, Hashable, Decodable {
    /// The kernel's name for the CPU architecture ("x86_64").
    public var architecture: String
    /// How many CPUs there are.
    public var cpus: Int
    /// Memory of the whole machine, in MiB.
    public var memoryMiB: Int
    /// The NUMA nodes, which share out all CPUs and all memory; none for a machine without NUMA.
    public var numaNodes: [NUMANode]
    /// What QEMU emulates.
    public var qemu: QEMU
    /// How the CPU is run.
    public var accelerators: Accelerators
    /// What the kernel is told.
    public var kernel: Kernel
    /// The modules that the guest loads.
    public var modules: Modules
    /// What the guest sets up.
    public var guest: Guest
    /// When the machine counts as hung.
    public var limits: Limits

    /// A NUMA node.
    public struct NUMANode: Sendable, Hashable, Decodable {
        /// Numbers of its CPUs, from 0.
        public var cpus: [Int]
        /// Its memory, in MiB.
        public var memoryMiB: Int

        enum CodingKeys: String, CodingKey {
            case cpus
            case memoryMiB = "memory-mib"
        }
    }

    /// What QEMU emulates (qemu(1)).
    public struct QEMU: Sendable, Hashable, Decodable {
        /// The program: a name that is looked up on PATH, or an absolute path.
        public var binary: String
        /// The oldest version that has all that we use.
        public var minimumVersion: String
        /// The value of `-machine`.
        public var machine: String
        /// A `-device` each.
        public var devices: [String]
        /// The `-device` whose bus carries the port that results come through.
        public var serialBus: String
        /// Further arguments, word by word.
        public var arguments: [String]

        enum CodingKeys: String, CodingKey {
            case binary, machine, devices, arguments
            case minimumVersion = "minimum-version"
            case serialBus = "serial-bus"
        }
    }

    /// The accelerators that the machine can use.
    public struct Accelerators: Sendable, Hashable, Decodable {
        /// Hardware virtualisation; nil where the machine must not use it.
        public var kvm: KVM?
        /// Emulation; nil where the machine must not use it.
        public var tcg: TCG?

        enum CodingKeys: String, CodingKey {
            case kvm, tcg
        }
    }

    /// Hardware virtualisation.
    public struct KVM: Sendable, Hashable, Decodable {
        /// The value of `-cpu`.
        public var cpu: String
        /// How long the console may stay silent before KVM counts as not working, in seconds.
        public var firstByteSeconds: Int

        enum CodingKeys: String, CodingKey {
            case cpu
            case firstByteSeconds = "first-byte-seconds"
        }
    }

    /// Emulation by QEMU.
    public struct TCG: Sendable, Hashable, Decodable {
        /// The value of `-cpu`.
        public var cpu: String
        /// What follows `-accel tcg`.
        public var options: [String]

        enum CodingKeys: String, CodingKey {
            case cpu, options
        }
    }

    /// What the kernel is told on its command line (`Documentation/admin-guide/kernel-parameters.rst`).
    public struct Kernel: Sendable, Hashable, Decodable {
        /// The console's device ("ttyS0").
        public var console: String
        /// Further parameters, one each.
        public var arguments: [String]

        enum CodingKeys: String, CodingKey {
            case console, arguments
        }
    }

    /// Modules by name; one that is built into the kernel counts as there.
    public struct Modules: Sendable, Hashable, Decodable {
        /// Without these the machine is not started.
        public var required: [String]
        /// Packed where the kernel has them.
        public var optional: [String]

        enum CodingKeys: String, CodingKey {
            case required, optional
        }
    }

    /// What the guest sets up before the first scenario.
    public struct Guest: Sendable, Hashable, Decodable {
        /// Swap space on zram, in MiB before compression.
        public var swapMiB: Int
        /// Huge pages of the default size that each NUMA node gets.
        public var hugePagesPerNode: Int

        /// What tells the guest program so.
        public var arguments: [String] {
            ["--swap-mb=\(swapMiB)", "--huge-pages=\(hugePagesPerNode)"]
        }

        enum CodingKeys: String, CodingKey {
            case swapMiB = "swap-mib"
            case hugePagesPerNode = "huge-pages-per-node"
        }
    }

    /// When the machine counts as hung, in seconds of the host's time.
    public struct Limits: Sendable, Hashable, Decodable {
        /// From QEMU's start to the first line of results.
        public var bootSeconds: Int
        /// Between two lines of results.
        public var silenceSeconds: Int
        /// From the last result, or from a panic, to QEMU's end.
        public var powerOffSeconds: Int

        enum CodingKeys: String, CodingKey {
            case bootSeconds = "boot-seconds"
            case silenceSeconds = "silence-seconds"
            case powerOffSeconds = "power-off-seconds"
        }
    }

    enum CodingKeys: String, CodingKey {
        case architecture, cpus, qemu, kernel, modules, guest, limits
        case memoryMiB = "memory-mib"
        case numaNodes = "numa-node"
        case accelerators = "accelerator"
    }

    /// Reads a description and checks it.
    ///
    /// - Throws: `DescriptionError`, which names the file, the line and the key.
    public init(path: FilePath) throws(DescriptionError) {
        self = try MachineDescriptionReader(path: path).read()
    }
}
