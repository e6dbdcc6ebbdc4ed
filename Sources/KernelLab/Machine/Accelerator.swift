// SPDX-License-Identifier: GPL-2.0-only

import Foundation
import SystemPackage

/// How QEMU runs the machine's CPUs.
public enum Accelerator: String, Sendable, Hashable, Codable {
    /// Hardware virtualisation.
    case kvm
    /// QEMU's own emulation.
    case tcg
}

/// What the user asks for (`--accel`).
public enum AcceleratorChoice: String, Sendable, Hashable, CaseIterable {
    /// KVM where it can work, else TCG.
    case auto
    /// KVM, whatever the CPU says.
    case kvm
    /// TCG.
    case tcg
}

/// What a machine is run on, decided before it starts.
struct AcceleratorPlan: Sendable, Hashable {
    var first: Accelerator
    /// What to use where `first` turns out not to work.
    var fallback: Accelerator?
    /// What the user should know of the decision.
    var note: String?
}

/// What a host has to run machines on.
struct HostVirtualisation: Sendable {
    /// What `uname -m` prints.
    var architecture: String
    /// The text of /proc/cpuinfo.
    var cpuinfo: String
    /// Why /dev/kvm cannot be used; nil where it can be opened.
    var kvmError: Errno?

    /// This host.
    static var current: HostVirtualisation {
        var names = utsname()
        uname(&names)
        let machine = withUnsafeBytes(of: names.machine) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
        let cpuinfo = (try? String(contentsOfFile: "/proc/cpuinfo", encoding: .utf8)) ?? ""
        return HostVirtualisation(architecture: machine, cpuinfo: cpuinfo, kvmError: openKVM())
    }

    private static func openKVM() -> Errno? {
        do {
            try FileDescriptor.open("/dev/kvm", .readWrite, options: .closeOnExec).close()
            return nil
        } catch {
            return error as? Errno
        }
    }

    /// Decides what to run `machine` on.
    ///
    /// - Throws: `MachineError.accelerator` where what the user asked for cannot be had.
    func plan(for machine: MachineDescription, choice: AcceleratorChoice) throws(MachineError) -> AcceleratorPlan {
        let (hasKVM, hasTCG) = (machine.accelerators.kvm != nil, machine.accelerators.tcg != nil)
        switch choice {
        case .tcg:
            guard hasTCG else { throw .accelerator("the machine has no [accelerator.tcg]; choose --accel auto") }
            return AcceleratorPlan(first: .tcg)
        case .kvm:
            guard hasKVM else { throw .accelerator("the machine has no [accelerator.kvm]; choose --accel auto") }
            if let kvmError {
                throw .accelerator("/dev/kvm cannot be used: \(kvmError); choose --accel tcg, or join the group kvm")
            }
            return AcceleratorPlan(first: .kvm, fallback: hasTCG ? .tcg : nil)
        case .auto:
            guard hasKVM else { return AcceleratorPlan(first: .tcg) }
            guard let obstacle = obstacleToKVM(for: machine) else {
                return AcceleratorPlan(first: .kvm, fallback: hasTCG ? .tcg : nil)
            }
            guard hasTCG else { throw .accelerator("the machine has KVM only, and \(obstacle)") }
            return AcceleratorPlan(first: .tcg, note: "\(obstacle); using TCG")
        }
    }

    private func obstacleToKVM(for machine: MachineDescription) -> String? {
        if machine.architecture != architecture {
            return "this host is \(architecture), not \(machine.architecture)"
        }
        if let kvmError { return "/dev/kvm cannot be used (\(kvmError))" }
        let virtualises = Architectures.named(machine.architecture)?.virtualises(cpuinfo: cpuinfo) ?? false
        return virtualises ? nil : "no hardware virtualisation here (a /dev/kvm without it hangs)"
    }
}
