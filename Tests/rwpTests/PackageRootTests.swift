// SPDX-License-Identifier: GPL-2.0-only

import Foundation
import SystemPackage
import Testing

@testable import rwp

@Suite final class PackageRootTests {
    private let scratch = FilePath(
        FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString).resolvingSymlinksInPath().path
    )

    deinit {
        try? FileManager.default.removeItem(atPath: scratch.string)
    }

    private func makeRoot() throws -> FilePath {
        let root = scratch.appending("clone")
        for name in ["kernel-patches", "qemu-images", "deep/er"] {
            let folder = root.pushing(FilePath(name))
            try FileManager.default.createDirectory(atPath: folder.string, withIntermediateDirectories: true)
        }
        try Data().write(to: URL(fileURLWithPath: root.appending("Package.swift").string))
        return root
    }

    @Test func theEnvironmentComesFirst() throws {
        let root = try makeRoot()
        let found = try PackageRoot.find(environment: ["RWP_ROOT": "clone"], executable: nil, workingDirectory: scratch)
        #expect(found.path == root)
        #expect(throws: PackageRootError.notRoot(scratch)) {
            try PackageRoot.find(
                environment: ["RWP_ROOT": scratch.string],
                executable: root.appending("rwp"),
                workingDirectory: root
            )
        }
    }

    @Test func thenTheProgramsOwnPlaceThenTheWorkingDirectory() throws {
        let root = try makeRoot()
        let program = root.pushing(FilePath("deep/er/rwp"))
        #expect(try PackageRoot.find(environment: [:], executable: program, workingDirectory: "/").path == root)
        let inside = root.pushing(FilePath("deep/er"))
        #expect(try PackageRoot.find(environment: [:], executable: "/bin/rwp", workingDirectory: inside).path == root)
    }

    @Test func nowhereIsTheEnvironmentsFault() {
        #expect(throws: PackageRootError.notFound) {
            try PackageRoot.find(environment: ["RWP_ROOT": ""], executable: "/bin/rwp", workingDirectory: "/")
        }
        #expect(PackageRootError.notFound.exitStatus == .environment)
    }
}
