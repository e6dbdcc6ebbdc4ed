// SPDX-License-Identifier: GPL-2.0-only

/// What a description can get wrong although each of its keys has the right type.
enum MachineCheck {
    /// The keys whose values cannot be, with the reason, which follows the key's name.
    static func complaints(about machine: MachineDescription) -> [(key: String, reason: String)] {
        architecture(machine) + sizes(machine) + nodes(machine) + accelerators(machine) + words(machine)
    }

    private static func architecture(_ machine: MachineDescription) -> [(String, String)] {
        let known = Architectures.all.map(\.name)
        guard !known.contains(machine.architecture) else { return [] }
        return [("architecture", "must be one of \(known.joined(separator: ", ")), not “\(machine.architecture)”")]
    }

    private static func sizes(_ machine: MachineDescription) -> [(String, String)] {
        let positive = [
            ("cpus", machine.cpus),
            ("memory-mib", machine.memoryMiB),
            ("limits.boot-seconds", machine.limits.bootSeconds),
            ("limits.silence-seconds", machine.limits.silenceSeconds),
            ("limits.power-off-seconds", machine.limits.powerOffSeconds),
            ("accelerator.kvm.first-byte-seconds", machine.accelerators.kvm?.firstByteSeconds ?? 1),
        ]
        let natural = [
            ("guest.swap-mib", machine.guest.swapMiB),
            ("guest.huge-pages-per-node", machine.guest.hugePagesPerNode),
        ]
        return positive.filter { $0.1 < 1 }.map { ($0.0, "must be at least 1, not \($0.1)") }
            + natural.filter { $0.1 < 0 }.map { ($0.0, "must not be negative") }
    }

    private static func nodes(_ machine: MachineDescription) -> [(String, String)] {
        guard !machine.numaNodes.isEmpty else { return [] }
        var complaints: [(String, String)] = []
        for (index, node) in machine.numaNodes.enumerated() where node.memoryMiB < 1 {
            complaints.append(("numa-node[\(index)].memory-mib", "must be at least 1, not \(node.memoryMiB)"))
        }
        var owner: [Int: Int] = [:]
        for (index, node) in machine.numaNodes.enumerated() {
            for cpu in node.cpus {
                let key = "numa-node[\(index)].cpus"
                if !(0..<machine.cpus).contains(cpu) {
                    complaints.append((key, "has CPU \(cpu), and the machine's are 0 to \(machine.cpus - 1)"))
                } else if let other = owner.updateValue(index, forKey: cpu) {
                    complaints.append((key, "has CPU \(cpu), which numa-node[\(other)] has already"))
                }
            }
        }
        if let orphan = (0..<max(0, machine.cpus)).first(where: { owner[$0] == nil }) {
            complaints.append(("numa-node", "leaves CPU \(orphan) without a node"))
        }
        // Saturating: the sizes are a stranger's.
        let sum = machine.numaNodes.reduce(0) { sum, node in
            let (next, overflow) = sum.addingReportingOverflow(node.memoryMiB)
            return overflow ? Int.max : next
        }
        if sum != machine.memoryMiB {
            complaints.append(("memory-mib", "is \(machine.memoryMiB), and the nodes' memory adds up to \(sum)"))
        }
        return complaints
    }

    private static func accelerators(_ machine: MachineDescription) -> [(String, String)] {
        guard machine.accelerators.kvm == nil, machine.accelerators.tcg == nil else { return [] }
        return [("accelerator", "must have kvm, tcg or both")]
    }

    private static func words(_ machine: MachineDescription) -> [(String, String)] {
        var complaints: [(String, String)] = []
        let texts = [
            ("qemu.binary", machine.qemu.binary), ("qemu.machine", machine.qemu.machine),
            ("qemu.serial-bus", machine.qemu.serialBus), ("kernel.console", machine.kernel.console),
        ]
        complaints += texts.filter { $0.1.isEmpty }.map { ($0.0, "must not be empty") }
        if QEMUVersion(machine.qemu.minimumVersion) == nil {
            let text = machine.qemu.minimumVersion
            complaints.append(("qemu.minimum-version", "must be a version such as \"7.2\", not “\(text)”"))
        }
        if machine.kernel.arguments.contains("--") {
            complaints.append(("kernel.arguments", "must not have “--”, which begins the guest program's arguments"))
        }
        for argument in machine.kernel.arguments {
            guard let reason = KernelCommandLine.complaint(about: argument) else { continue }
            complaints.append(("kernel.arguments", "has “\(argument)”, which \(reason)"))
        }
        return complaints
    }
}
