// SPDX-License-Identifier: GPL-2.0-only

import CUserfaultfd

extension KVM {
    /// A virtual CPU. One thread at a time may use it.
    public struct CPU: Sendable {
        let descriptor: Int32
        /// The address of its `struct kvm_run`.
        let shared: UInt

        /// Why a CPU came back (`exit_reason`, api.rst 5).
        public enum Exit: Sendable, Equatable {
            /// It wrote a byte to a port.
            case output(port: UInt16, byte: UInt8)
            /// It accessed a guest-physical address without memory.
            case noMemory(address: UInt)
            /// A signal came for the thread that ran it (EINTR). Running it again goes on where it was.
            case interrupted
            /// Something else: `KVM_EXIT_…` of <linux/kvm.h>.
            case other(UInt32)
        }

        /// Puts the CPU into real mode at the start of a program. Its data segments begin at 0 and reach 4 GiB; interrupts
        /// are on. (`KVM_SET_SREGS`, `KVM_SET_REGS`, api.rst 4.14 and 4.12.)
        public func enterRealMode(_ state: RealMode) throws(Failure) {
            var raw = cuffd_real_mode(
                code: state.code,
                offset: state.offset,
                eax: state.eax,
                ebx: state.ebx,
                esi: state.esi,
                edi: state.edi,
                ebp: state.ebp
            )
            try checked("KVM_SET_SREGS", cuffd_kvm_enter_real_mode(descriptor, &raw))
        }

        /// `KVM_RUN` (api.rst 4.10): runs the CPU, as a part of the calling thread, until it needs something of its user.
        /// What the CPU accesses faults in as if the thread accessed it. EFAULT where the memory cannot be accessed.
        public func run() throws(Failure) -> Exit {
            let result = cuffd_ioctl_number(descriptor, CUFFD_KVM_RUN, 0)
            if result == -EINTR { return .interrupted }
            try checked("KVM_RUN", result)
            let exit = cuffd_kvm_exit(shared)
            switch Int32(exit.reason) {
            case KVM_EXIT_IO where exit.is_out == 1: return .output(port: exit.port, byte: exit.byte)
            case KVM_EXIT_MMIO: return .noMemory(address: UInt(exit.address))
            default: return .other(exit.reason)
            }
        }
    }

    /// Where a real-mode program starts, and the registers that it starts with.
    public struct RealMode: Sendable {
        /// The guest-physical address at which the code segment begins.
        public var code: UInt32
        /// The first instruction's offset in it.
        public var offset: UInt16
        /// Register EAX.
        public var eax: UInt32 = 0
        /// Register EBX.
        public var ebx: UInt32 = 0
        /// Register ESI.
        public var esi: UInt32 = 0
        /// Register EDI.
        public var edi: UInt32 = 0
        /// Register EBP.
        public var ebp: UInt32 = 0

        /// Starts at a guest-physical address with registers of zero. The code segment begins at the address's page.
        public init(at address: UInt32) {
            code = address & ~0xFFF
            offset = UInt16(address & 0xFFF)
        }
    }
}
