// SPDX-License-Identifier: GPL-2.0-only

import CUserfaultfd

/// The KVM device (`Documentation/virt/kvm/api.rst`), as far as it takes to let virtual CPUs at registered memory.
///
/// Values are only descriptors' numbers: what they stand for lives until `close()` or the end of the process. Every call
/// throws a `Failure` with the error number that the kernel gave.
public struct KVM: Sendable {
    private static let path = "/dev/kvm"

    private let descriptor: Int32

    /// Opens /dev/kvm, whose API version must be 12, the only one there ever was (api.rst 4.1).
    public init() throws(Failure) {
        descriptor = try checked("open of \(KVM.path)", cuffd_open(KVM.path, O_RDWR, 0))
        let version = try checked("KVM_GET_API_VERSION", cuffd_ioctl_number(descriptor, CUFFD_KVM_GET_API_VERSION, 0))
        if version != 12 { throw Failure("\(KVM.path) has API version \(version), expected 12") }
    }

    /// Why no virtual CPU can run a program here; nil where one can.
    ///
    /// A paravirtual /dev/kvm on a CPU without virtualisation can be opened and makes machines that never run: so the CPU
    /// is asked too.
    public static var reasonUnusable: String? {
        if cuffd_kvm_has_real_mode() == 0 { return "programs for virtual CPUs are there for x86_64 alone" }
        let flags = (try? FileAccess.lines("/proc/cpuinfo"))?.first { $0.begins(with: "flags") }?.words ?? []
        guard flags.contains(where: { $0.isSame(as: "svm") || $0.isSame(as: "vmx") }) else {
            return "the CPU cannot virtualise: neither svm nor vmx in /proc/cpuinfo"
        }
        do throws(Failure) {
            try KVM().close()
            return nil
        } catch {
            return "\(error.message): needs the modules kvm and kvm_amd or kvm_intel, and permission"
        }
    }

    /// Closes the device; machines made with it live on.
    public func close() {
        _ = CUserfaultfd.close(descriptor)
    }

    /// `KVM_CREATE_VM` (api.rst 4.2): a machine without memory and CPUs.
    public func createMachine() throws(Failure) -> Machine {
        let machine = try checked("KVM_CREATE_VM", cuffd_ioctl_number(descriptor, CUFFD_KVM_CREATE_VM, 0))
        try checked("KVM_SET_TSS_ADDR", cuffd_kvm_reserve_real_mode(machine))
        let size = cuffd_ioctl_number(descriptor, CUFFD_KVM_GET_VCPU_MMAP_SIZE, 0)
        return Machine(descriptor: machine, runSize: UInt(try checked("KVM_GET_VCPU_MMAP_SIZE", size)))
    }

    /// A virtual machine.
    public struct Machine: Sendable {
        fileprivate let descriptor: Int32
        /// The size in bytes of what a CPU shares with its user (api.rst 4.5).
        fileprivate let runSize: UInt

        /// `KVM_SET_USER_MEMORY_REGION` (api.rst 4.35): what this process has at `range` is the machine's memory at the
        /// guest-physical address. Both must be multiples of the page size. KVM maps huge what is huge here only where
        /// both have the same offset in the huge page.
        public func setMemory(slot: UInt32, at guestAddress: UInt, _ range: AddressRange) throws(Failure) {
            var region = kvm_userspace_memory_region(
                slot: slot,
                flags: 0,
                guest_phys_addr: UInt64(guestAddress),
                memory_size: UInt64(range.length),
                userspace_addr: UInt64(range.start)
            )
            let result = cuffd_ioctl(descriptor, CUFFD_KVM_SET_USER_MEMORY_REGION, &region)
            try checked("KVM_SET_USER_MEMORY_REGION \(range.words)", result)
        }

        /// `KVM_CAP_SPLIT_IRQCHIP` (api.rst 7.5), before the first CPU: each CPU gets a local APIC, as those of real machines
        /// have. A CPU that meets a page which is not there may then let a worker of KVM's wait for it ("asynchronous
        /// page fault"), and halts instead of returning at HLT.
        public func createLocalAPICs() throws(Failure) {
            var capability = kvm_enable_cap()
            capability.cap = UInt32(KVM_CAP_SPLIT_IRQCHIP)
            try checked("KVM_CAP_SPLIT_IRQCHIP", cuffd_ioctl(descriptor, CUFFD_KVM_ENABLE_CAP, &capability))
        }

        /// `KVM_CREATE_VCPU` (api.rst 4.7); numbers begin at 0.
        public func createCPU(_ number: UInt) throws(Failure) -> CPU {
            let result = cuffd_ioctl_number(descriptor, CUFFD_KVM_CREATE_VCPU, number)
            let cpu = try checked("KVM_CREATE_VCPU", result)
            let shared = try checked("mmap", cuffd_mmap(0, runSize, PROT_READ | PROT_WRITE, MAP_SHARED, cpu, 0))
            return CPU(descriptor: cpu, shared: UInt(shared))
        }
    }
}
