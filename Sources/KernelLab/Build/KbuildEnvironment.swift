// SPDX-License-Identifier: GPL-2.0-only

/// The environment that kbuild runs in: the user's, without what would make it another build.
enum KbuildEnvironment {
    /// What is set or, with nil, removed.
    ///
    /// The first four make the image the same whoever builds it, wherever and whenever
    /// (Documentation/kbuild/reproducible-builds.rst). The others would reach into the build without being part of its
    /// key (Documentation/kbuild/kbuild.rst).
    static let changes: [String: String?] = [
        "KBUILD_BUILD_TIMESTAMP": "Thu Jan  1 00:00:00 UTC 1970",
        "KBUILD_BUILD_USER": "uffd-rwp",
        "KBUILD_BUILD_HOST": "localhost",
        // Else kbuild counts the links in its folder, so that an interrupted build ends as "#2".
        "KBUILD_BUILD_VERSION": "1",
        "ARCH": nil,
        "CROSS_COMPILE": nil,
        "LLVM": nil,
        "LD": nil,
        "O": nil,
        "V": nil,
        "W": nil,
        "MAKEFLAGS": nil,
        "MFLAGS": nil,
        "MAKELEVEL": nil,
        "KBUILD_OUTPUT": nil,
        "KBUILD_VERBOSE": nil,
        "KBUILD_KCONFIG": nil,
        "KBUILD_DEFCONFIG": nil,
        "KCONFIG_CONFIG": nil,
        "KCONFIG_ALLCONFIG": nil,
        "KCONFIG_OVERWRITECONFIG": nil,
        "KCPPFLAGS": nil,
        "KAFLAGS": nil,
        "KCFLAGS": nil,
        "KRUSTFLAGS": nil,
        "HOSTCFLAGS": nil,
        "HOSTLDFLAGS": nil,
        "INSTALL_PATH": nil,
        "INSTALL_MOD_PATH": nil,
        "SOURCE_DATE_EPOCH": nil,
    ]
}
