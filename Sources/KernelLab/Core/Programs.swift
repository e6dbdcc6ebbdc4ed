// SPDX-License-Identifier: GPL-2.0-only

/// A program that `rwp` runs, and where it comes from.
public struct RequiredProgram: Sendable, Hashable {
    /// The name that is looked for on PATH.
    public var name: String
    /// The Debian package that has it.
    public var package: String
    /// What it is used for, to follow "needed to ".
    public var purpose: String
}

/// Every program that `rwp` runs: the one table behind error messages and `rwp doctor`.
public enum Programs {
    /// The programs, in the order of their use.
    public static let all: [RequiredProgram] = [
        .init(name: "git", package: "git", purpose: "keep kernel trees and apply the series"),
        .init(name: "curl", package: "curl", purpose: "fetch kernels from kernel.org"),
        .init(name: "gpgv", package: "gpgv", purpose: "verify kernel.org's signatures"),
        .init(name: "apt-get", package: "apt", purpose: "fetch Debian's kernel sources"),
        .init(name: "apt-cache", package: "apt", purpose: "find Debian's kernel sources"),
        .init(name: "apt-config", package: "apt", purpose: "read the machine's apt settings"),
        .init(name: "dpkg", package: "dpkg", purpose: "find Debian's kernel sources"),
        .init(name: "dpkg-deb", package: "dpkg", purpose: "unpack Debian's kernel sources"),
        .init(name: "tar", package: "tar", purpose: "unpack kernel sources"),
        .init(name: "xz", package: "xz-utils", purpose: "decompress kernel sources"),
        .init(name: "sh", package: "dash", purpose: "join programs by pipes"),
        .init(name: "cp", package: "coreutils", purpose: "copy kernel trees"),
        .init(name: "make", package: "make", purpose: "build the kernel"),
        .init(name: "gcc", package: "gcc", purpose: "compile the kernel"),
        .init(name: "ld", package: "binutils", purpose: "link the kernel"),
        .init(name: "flex", package: "flex", purpose: "build the kernel's configuration tools"),
        .init(name: "bison", package: "bison", purpose: "build the kernel's configuration tools"),
        .init(name: "bc", package: "bc", purpose: "build the kernel"),
        .init(name: "depmod", package: "kmod", purpose: "index the kernel's modules"),
        .init(name: "perl", package: "perl", purpose: "build the kernel"),
        .init(name: "qemu-system-x86_64", package: "qemu-system-x86", purpose: "boot x86_64 kernels"),
        .init(
            name: "swift",
            package: "a Swift toolchain from https://swift.org/install",
            purpose: "build the guest program"
        ),
    ]

    /// Programs that help, and that `rwp test` does without.
    public static let useful: [RequiredProgram] = [
        .init(name: "ccache", package: "ccache", purpose: "build kernels again faster"),
        .init(name: "cpio", package: "cpio", purpose: "boot a kernel of yours ('rwp test --kernel')"),
        .init(name: "busybox", package: "busybox-static", purpose: "run 'rwp shell'"),
    ]

    /// The Debian package that has `program`; nil where the table does not know it.
    public static func package(of program: String) -> String? {
        (all + useful).first { $0.name == program }?.package
    }
}
