// SPDX-License-Identifier: GPL-2.0-only

import SystemPackage

/// What building and booting must know of a CPU architecture and data cannot say: one type an architecture, each member
/// one question.
public protocol Architecture: Sendable {
    /// What does `uname -m` call it?
    var name: String { get }
    /// What does `make ARCH=` call it?
    var makeName: String { get }
    /// What does make call its bootable image?
    var imageTarget: String { get }
    /// Where is that image, under the build's folder?
    var imagePath: FilePath { get }
    /// What do its cross tools' names begin with (`CROSS_COMPILE`), on a machine of another architecture?
    var crossPrefix: String { get }
    /// How many bytes, with the closing zero, may a kernel command line have (`COMMAND_LINE_SIZE` of asm/setup.h)?
    var commandLineSize: Int { get }
    /// Does a host of this architecture, with this /proc/cpuinfo, virtualise in hardware?
    func virtualises(cpuinfo: String) -> Bool
}

extension Architecture {
    /// Where the CPU does not say, /dev/kvm does.
    public func virtualises(cpuinfo: String) -> Bool { true }
}

/// The architectures that machines can have.
public enum Architectures {
    /// All of them.
    public static let all: [any Architecture] = [X8664()]

    /// The architecture of that name; nil where there is none.
    public static func named(_ name: String) -> (any Architecture)? {
        all.first { $0.name == name }
    }
}

/// AMD64, Intel 64.
public struct X8664: Architecture {
    /// Makes the value.
    public init() {}

    /// x86_64.
    public var name: String { "x86_64" }

    /// The same.
    public var makeName: String { "x86_64" }

    /// bzImage.
    public var imageTarget: String { "bzImage" }

    /// arch/x86/boot/bzImage.
    public var imagePath: FilePath { "arch/x86/boot/bzImage" }

    /// Debian's name for them.
    public var crossPrefix: String { "x86_64-linux-gnu-" }

    /// arch/x86/include/asm/setup.h.
    public var commandLineSize: Int { 2048 }

    /// A paravirtual /dev/kvm can exist on a CPU without VMX or SVM, take a kernel and never run it.
    public func virtualises(cpuinfo: String) -> Bool {
        cpuinfo.split(separator: "\n").contains { line in
            line.hasPrefix("flags") && line.split(separator: " ").contains { $0 == "vmx" || $0 == "svm" }
        }
    }
}
