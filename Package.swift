// swift-tools-version: 6.2
// SPDX-License-Identifier: GPL-2.0-only

import PackageDescription

/// What the guest program is compiled with. The `Guest` trait turns it into Embedded Swift, to be linked
/// statically for the VM; without the trait the same sources are ordinary Swift, for unit tests.
///
/// It shall be small: the optimizer may not make a copy of `expect` and its like for every closure that they are handed,
/// functions have sections of their own, of which the linker drops the unused and the equal ones, and sequences of
/// instructions that many functions have become one function. Sources mark `@inline(never)` what hundreds of places call and
/// nothing hurries for.
let guestSettings: [SwiftSetting] = [
    .enableExperimentalFeature("Embedded", .when(traits: ["Guest"])),
    .unsafeFlags(
        ["-wmo", "-Osize", "-Xfrontend", "-function-sections"] + without(["closure-specialize", "capture-prop"])
            + ["-Xcc", "-fno-asynchronous-unwind-tables", "-Xcc", "-fno-unwind-tables"]
            + ["-Xllvm", "-enable-machine-outliner=always"],
        .when(traits: ["Guest"])
    ),
    .treatAllWarnings(as: .error),
]

/// The compiler flags that leave out these passes of its optimizer.
func without(_ passes: [String]) -> [String] {
    passes.flatMap { ["-Xllvm", "-sil-disable-pass=\($0)"] }
}

let hostSettings: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"),
    .treatAllWarnings(as: .error),
]

let package = Package(
    name: "uffd-rwp",
    platforms: [.macOS(.v15)],
    products: [
        .executable(name: "rwp", targets: ["rwp"]),
        .executable(name: "uffd-selftest", targets: ["uffd-selftest"]),
        .library(name: "KernelLab", targets: ["KernelLab"]),
    ],
    traits: [
        .trait(name: "Guest", description: "Build uffd-selftest as Embedded Swift, for the VM.")
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0"),
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.0"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.0"),
        .package(url: "https://github.com/apple/swift-system", from: "1.8.0"),
        .package(url: "https://github.com/CoreOffice/XMLCoder", from: "0.18.0"),
        .package(url: "https://github.com/hummingbird-project/swift-mustache", from: "2.1.0"),
        .package(url: "https://github.com/LebJe/TOMLKit", from: "0.6.0"),
        .package(url: "https://github.com/onevcat/Rainbow", from: "4.2.0"),
        .package(url: "https://github.com/ordo-one/TextTable", from: "0.0.2"),
        .package(url: "https://github.com/swhitty/FlyingFox", from: "0.27.0"),
        .package(url: "https://github.com/swiftlang/swift-subprocess", from: "1.0.0"),
    ],
    targets: [
        // The guest: what runs in the VM.
        .target(name: "CUserfaultfd", cSettings: [.define("CUFFD_STATIC", .when(traits: ["Guest"]))]),
        .target(name: "Userfaultfd", dependencies: ["CUserfaultfd"], swiftSettings: guestSettings),
        .target(name: "Scenarios", dependencies: ["Userfaultfd"], swiftSettings: guestSettings),
        .executableTarget(
            name: "uffd-selftest",
            dependencies: ["Scenarios", "Userfaultfd"],
            exclude: ["guest.ld"],
            swiftSettings: guestSettings
        ),

        // The host: what builds kernels and runs VMs.
        .systemLibrary(name: "CKmod", pkgConfig: "libkmod", providers: [.apt(["libkmod-dev"])]),
        .target(
            name: "KernelLab",
            dependencies: [
                "CKmod",
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "Mustache", package: "swift-mustache"),
                .product(name: "Subprocess", package: "swift-subprocess"),
                .product(name: "SystemPackage", package: "swift-system"),
                .product(name: "TOMLKit", package: "TOMLKit"),
                .product(name: "XMLCoder", package: "XMLCoder"),
            ],
            // Inside the program, which then runs from wherever it is copied to.
            resources: [
                .embedInCode("Reports/page.mustache"),
                .embedInCode("Source/Resources/kernel-org-keys.asc"),
            ],
            swiftSettings: hostSettings,
            // TOMLKit wraps a C++ parser and does not say so to the linker.
            linkerSettings: [.linkedLibrary("stdc++")]
        ),
        .executableTarget(
            name: "rwp",
            dependencies: [
                "KernelLab",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "Rainbow", package: "Rainbow"),
                .product(name: "TextTable", package: "TextTable"),
            ],
            swiftSettings: hostSettings
        ),

        // Tests: one target a source target.
        .testTarget(name: "UserfaultfdTests", dependencies: ["Userfaultfd"], swiftSettings: hostSettings),
        .testTarget(
            name: "ScenariosTests",
            dependencies: ["Scenarios", "uffd-selftest"],
            swiftSettings: hostSettings
        ),
        .testTarget(
            name: "KernelLabTests",
            dependencies: [
                "KernelLab", .product(name: "FlyingFox", package: "FlyingFox"),
                .product(name: "XMLCoder", package: "XMLCoder"),
            ],
            swiftSettings: hostSettings
        ),
        .testTarget(name: "rwpTests", dependencies: ["rwp", "KernelLab", "Scenarios"], swiftSettings: hostSettings),
    ],
    swiftLanguageModes: [.v6]
)
