// SPDX-License-Identifier: GPL-2.0-only

/// A library, beyond the C library, that selftests of memory management are linked with.
public struct KselftestLibrary: Sendable, Hashable {
    /// The library: "libnuma".
    public let name: String
    /// The header by which a test's source says that it needs the library.
    public let header: String
    /// The Debian package that has the header and the static library.
    public let package: String
    /// Which tests need it, for people.
    public let users: String

    /// The libraries.
    public static let all: [KselftestLibrary] = [
        .init(
            name: "libnuma",
            header: "numa.h",
            package: "libnuma-dev",
            users: "mm:migration, mm:ksm_tests and mm:rmap"
        ),
        .init(name: "liburing", header: "liburing.h", package: "liburing-dev", users: "mm:cow and mm:gup_longterm"),
        .init(
            name: "libcap",
            header: "sys/capability.h",
            package: "libcap-dev",
            users: "mm:mlock-random-test and mm:memfd_secret"
        ),
    ]

    /// The C library, which all of them are linked with.
    static let c = KselftestLibrary(name: "libc", header: "stdio.h", package: "libc6-dev", users: "every test")

    /// The libraries that C source includes headers of.
    static func needed(bySource text: String) -> [KselftestLibrary] {
        [c] + all.filter { text.contains("#include <\($0.header)>") }
    }
}
