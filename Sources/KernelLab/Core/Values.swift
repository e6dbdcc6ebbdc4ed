// SPDX-License-Identifier: GPL-2.0-only

import SystemPackage

/// A kernel source tree on disk, ready to be patched or built.
public struct SourceTree: Sendable, Hashable {
    /// The folder with the top-level Makefile.
    public var path: FilePath
    /// The version that the Makefile states, "7.2.13".
    public var version: String
    /// Hex digest or commit that names the content: equal identities, equal trees.
    public var identity: String

    /// Makes a value; nothing is read.
    public init(path: FilePath, version: String, identity: String) {
        self.path = path
        self.version = version
        self.identity = identity
    }
}

/// What `rwp build` makes and a virtual machine boots.
public struct KernelImage: Sendable, Hashable {
    /// The bootable image (`bzImage` on x86_64).
    public var image: FilePath
    /// The folder that `make modules_install` filled: it holds `lib/modules/RELEASE`. Nil where there are no modules.
    public var modules: FilePath?
    /// The `.config` that it was built from; nil for an image that the user brought.
    public var config: FilePath?
    /// `gen_init_cpio` of the same build; nil for an image that the user brought.
    public var genInitCpio: FilePath?
    /// `uname -r` of the kernel ("7.2.13-rwp"); nil where it is not known.
    public var release: String?
    /// The build's log; nil for an image that the user brought.
    public var log: FilePath?

    /// Makes a value; nothing is read.
    public init(
        image: FilePath,
        modules: FilePath? = nil,
        config: FilePath? = nil,
        genInitCpio: FilePath? = nil,
        release: String? = nil,
        log: FilePath? = nil
    ) {
        self.image = image
        self.modules = modules
        self.config = config
        self.genInitCpio = genInitCpio
        self.release = release
        self.log = log
    }
}
