// SPDX-License-Identifier: GPL-2.0-only

import SystemPackage

/// A program or a C header that a kernel build needs, always or where a symbol of its configuration is on.
public struct BuildRequirement: Sendable, Hashable {
    /// What is looked for.
    enum Kind: Sendable, Hashable {
        /// A program on PATH.
        case program
        /// A header that the compiler of the build's own tools finds.
        case header
    }

    /// The program's or the header's name.
    public let name: String
    /// The Debian package that has it.
    public let package: String
    /// What it is used for, to follow "needed to ".
    public let purpose: String
    let kind: Kind
    /// The symbols of which one, being on, makes it needed; empty if it is needed always.
    let symbols: [String]

    private static func program(
        _ name: String,
        _ package: String,
        _ purpose: String,
        for symbols: String...
    ) -> BuildRequirement {
        .init(name: name, package: package, purpose: purpose, kind: .program, symbols: symbols)
    }

    private static func header(
        _ name: String,
        _ package: String,
        _ purpose: String,
        for symbols: String...
    ) -> BuildRequirement {
        .init(name: name, package: package, purpose: purpose, kind: .header, symbols: symbols)
    }

    /// The kernel's Documentation/process/changes.rst, as far as configurations of ours can need it.
    static let all: [BuildRequirement] = [
        .program("make", "make", "run the build"),
        .program("ld", "binutils", "link"),
        .program("flex", "flex", "build the configuration tools"),
        .program("bison", "bison", "build the configuration tools"),
        .program("bc", "bc", "compute time constants"),
        .program("perl", "perl", "run the build's scripts"),
        .program("depmod", "kmod", "index the modules", for: "MODULES"),
        .program("gzip", "gzip", "compress the image", for: "KERNEL_GZIP", "IKCONFIG"),
        .program("xz", "xz-utils", "compress the image or the modules", for: "KERNEL_XZ", "MODULE_COMPRESS_XZ"),
        .program("zstd", "zstd", "compress the image or the modules", for: "KERNEL_ZSTD", "MODULE_COMPRESS_ZSTD"),
        .program("bzip2", "bzip2", "compress the image", for: "KERNEL_BZIP2"),
        .program("lzma", "xz-utils", "compress the image", for: "KERNEL_LZMA"),
        .program("lzop", "lzop", "compress the image", for: "KERNEL_LZO"),
        .program("lz4", "lz4", "compress the image", for: "KERNEL_LZ4"),
        .program("pahole", "pahole", "make BTF type information", for: "DEBUG_INFO_BTF"),
        .header("gelf.h", "libelf-dev", "build objtool", for: "OBJTOOL", "DEBUG_INFO_BTF"),
        .header("openssl/evp.h", "libssl-dev", "sign modules", for: "MODULE_SIG", "SYSTEM_TRUSTED_KEYRING"),
    ]

    /// Whether a kernel of this configuration needs it; with nil, whether every kernel does.
    func isNeeded(by config: KernelConfig?) -> Bool {
        if symbols.isEmpty { return true }
        guard let config else { return false }
        return symbols.contains { config[$0] != "n" }
    }
}

/// The programs of a build, found on this machine.
struct BuildTools: Sendable {
    /// GNU make.
    let make: Tool
    /// The compiler of the kernel.
    let compiler: Tool
    /// The compiler of the build's own tools, which run here.
    let hostCompiler: Tool
    /// The linker.
    let linker: Tool
    /// ccache(1), where there is one.
    let ccache: Tool?
    private let searchPath: String?

    /// Finds the tools.
    ///
    /// - Parameters:
    ///   - prefix: What the cross tools' names begin with; empty for this machine's own.
    ///   - searchPath: PATH, if not the environment's.
    /// - Throws: `KernelBuildError.missing` with all that every kernel needs and that is not here.
    init(prefix: String, compiler name: String?, searchPath: String?) throws(KernelBuildError) {
        let compilerName = name ?? prefix + "gcc"
        let hostCompilerName = prefix.isEmpty ? compilerName : "gcc"
        var missing = BuildRequirement.all.filter { requirement in
            requirement.kind == .program && requirement.isNeeded(by: nil)
                && Self.find(requirement.name, searchPath) == nil
        }
        for compiler in Set([compilerName, hostCompilerName]) where Self.find(compiler, searchPath) == nil {
            let package = compiler == prefix + "gcc" && !prefix.isEmpty ? Self.package(ofPrefix: prefix) : compiler
            missing.append(
                .init(name: compiler, package: package, purpose: "compile the kernel", kind: .program, symbols: [])
            )
        }
        guard missing.isEmpty, let make = Self.find("make", searchPath),
            let compiler = Self.find(compilerName, searchPath),
            let hostCompiler = Self.find(hostCompilerName, searchPath),
            let linker = Self.find(prefix + "ld", searchPath) ?? Self.find("ld", searchPath)
        else {
            throw .missing(missing)
        }
        self.make = make
        self.compiler = compiler
        self.hostCompiler = hostCompiler
        self.linker = linker
        self.ccache = Self.find("ccache", searchPath)
        self.searchPath = searchPath
    }

    /// Debian's name of a cross compiler's package; names of packages have no underscore.
    private static func package(ofPrefix prefix: String) -> String {
        "gcc-" + prefix.dropLast().replacing("_", with: "-")
    }

    /// Checks what this configuration needs besides.
    ///
    /// - Throws: `KernelBuildError.missing` with all of it that is not here.
    func check(for config: KernelConfig) async throws {
        var missing: [BuildRequirement] = []
        for requirement in BuildRequirement.all where requirement.isNeeded(by: config) {
            let isThere =
                switch requirement.kind {
                case .program: Self.find(requirement.name, searchPath) != nil
                case .header: try await hasHeader(requirement.name)
                }
            if !isThere { missing.append(requirement) }
        }
        guard missing.isEmpty else { throw KernelBuildError.missing(missing) }
    }

    /// What compiler and linker say of themselves: a kernel built by others is another kernel.
    func versions() async throws -> String {
        var lines: [String] = []
        for tool in [compiler, linker] {
            let text = try await tool.capture(["--version"])
            lines.append(text.split(separator: "\n").first.map(String.init) ?? "")
        }
        return lines.joined(separator: "\n")
    }

    /// depmod(8), wherever the machine keeps it.
    var depmod: Tool? {
        Self.find("depmod", searchPath)
    }

    private func hasHeader(_ name: String) async throws -> Bool {
        try await hostCompiler.status(["-fsyntax-only", "-include", name, "-x", "c", "/dev/null"]).isSuccess
    }

    /// Looks on PATH, and where administrators' programs are, which Debian leaves out of a user's PATH.
    private static func find(_ program: String, _ searchPath: String?) -> Tool? {
        if let tool = try? Tool.find(program, searchPath: searchPath) { return tool }
        return searchPath == nil ? try? Tool.find(program, searchPath: "/usr/sbin:/sbin") : nil
    }
}
