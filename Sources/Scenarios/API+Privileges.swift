// SPDX-License-Identifier: GPL-2.0-only

import CUserfaultfd
import Userfaultfd

/// Who may have a userfaultfd, and how one is had.
extension API {
    static let privileges: [Scenario] = [
        check("api-open-flags", "userfaultfd(2) with an unknown flag: EINVAL.") { (context) throws(Failure) in
            for flag: Int32 in [2, 4, 1 << 20] {
                try context.expectErrno(.invalid, "flag \(flag)") { () throws(Failure) in
                    _ = try Userfaultfd.open(Userfaultfd.OpenFlags(rawValue: flag | 1))
                }
            }
            try Userfaultfd.open([.userModeOnly]).close()
        },
        check(
            "api-unprivileged",
            "Without CAP_SYS_PTRACE: user mode alone is allowed; kernel faults too only by vm.unprivileged_userfaultfd.",
            needs: [.root]
        ) { (context) throws(Failure) in
            let allowed = try FileAccess.number("/proc/sys/vm/unprivileged_userfaultfd") != 0
            try asNobody { () throws(Failure) in
                try Userfaultfd.open([.userModeOnly]).close()
                if allowed {
                    try Userfaultfd.open().close()
                } else {
                    try context.expectErrno(.notPermitted, "userfaultfd(2) as nobody") { () throws(Failure) in
                        _ = try Userfaultfd.open()
                    }
                }
            }
        },
        check(
            "api-unprivileged-fork",
            "EVENT_FORK without CAP_SYS_PTRACE: EPERM, and the struct is zeroed; without it the handshake works.",
            needs: [.root]
        ) { (context) throws(Failure) in
            try asNobody { () throws(Failure) in
                let uffd = try Userfaultfd.open([.userModeOnly])
                let feature = Features.eventFork.rawValue
                try refuseHandshake(context, uffd, api: 0xAA, features: feature, .notPermitted, "EVENT_FORK as nobody")
                _ = try uffd.handshake()
            }
        },
        check(
            "api-unprivileged-offer",
            "Without privileges the same features and ioctls are offered.",
            rules: "N1",
            needs: [.root]
        ) { (context) throws(Failure) in
            let offer = try Userfaultfd.offered()
            try asNobody { () throws(Failure) in
                let nobodys = try Userfaultfd.offered()
                try context.expectEqual(nobodys.features.rawValue, offer.features.rawValue, "features")
                try context.expectEqual(nobodys.ioctls.rawValue, offer.ioctls.rawValue, "ioctls")
            }
        },
        check(
            "api-unprivileged-rwp",
            "Without privileges user mode's accesses of armed pages trap, too.",
            rules: "N1 F1",
            needs: [.root, .features(.readWriteProtect)]
        ) { (context) throws(Failure) in
            try asNobody { () throws(Failure) in
                let memory = try Memory(.anon, pages: 1)
                memory.fill()
                let uffd = try Userfaultfd(features: .readWriteProtect, flags: [.nonblocking, .userModeOnly])
                try uffd.register(memory.range, .readWriteProtect)
                try uffd.readWriteProtect(memory.range)
                let reader = try Access.read(memory, 0)
                try context.expectFault(uffd, at: memory.address(0), .readWriteProtect)
                try uffd.readWriteProtect(memory.range, false)
                try reader.finish()
                try memory.check("at the end")
            }
        },
        check(
            "api-device",
            "/dev/userfaultfd makes descriptors that work like those of userfaultfd(2), and refuses unknown flags.",
            needs: [.file("/dev/userfaultfd", "CONFIG_USERFAULTFD"), .root]
        ) { (context) throws(Failure) in
            let device = try checked("open", cuffd_open("/dev/userfaultfd", O_RDWR, 0))
            let flags = UnsafeMutableRawPointer(bitPattern: UInt(O_CLOEXEC | O_NONBLOCK))
            let descriptor = try checked("USERFAULTFD_IOC_NEW", cuffd_ioctl(device, CUFFD_USERFAULTFD_IOC_NEW, flags))
            let uffd = Userfaultfd(descriptor: descriptor)
            _ = try uffd.handshake(.sigbus)
            let memory = try Memory(.anon, pages: 1)
            try uffd.register(memory.range, .missing)
            try context.expectEqual(Probe.read(memory.address(0)).signal, SIGBUS, "signal of a missing page")
            let unknown = UnsafeMutableRawPointer(bitPattern: UInt(4))
            let code = cuffd_ioctl(device, CUFFD_USERFAULTFD_IOC_NEW, unknown)
            try context.expectEqual(code, -EINVAL, "USERFAULTFD_IOC_NEW with an unknown flag")
        },
    ]

    /// Runs a function in a child without privileges: user and group 65534.
    private static func asNobody(_ body: () throws(Failure) -> Void) throws(Failure) {
        let child = try Child { () throws(Failure) in
            if setgid(65534) != 0 || setuid(65534) != 0 { throw Failure(call: "setuid", code: cuffd_errno()) }
            try body()
            return 0
        }
        try child.waitForSuccess()
    }
}
