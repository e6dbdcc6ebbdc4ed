// SPDX-License-Identifier: GPL-2.0-only

import Foundation
import Glibc
import SystemPackage
import Testing

@testable import KernelLab

/// With a `swift` that is a script: the real one takes a minute, and `scripts/test` runs the result in a VM anyway.
@Suite struct GuestProgramTests {
    private struct Package {
        let root: FilePath
        let bin: FilePath
        let cache: KernelCache

        /// - Parameter build: What `swift build` does, in sh; `$scratch` is its scratch path.
        init(in folder: FilePath, build: String) throws {
            root = folder.appending("package")
            bin = folder.appending("bin")
            cache = KernelCache(root: folder.appending("cache"))
            try root.appending("Package.swift").write("// swift-tools-version: 6.2\n")
            for target in GuestProgram.sources {
                try root.appending("Sources").appending(target).appending("a.swift").write("// \(target)\n")
            }
            let swift = bin.appending("swift")
            try swift.write(
                """
                #!/bin/sh
                if [ "$1" = --version ]; then echo "fake swift"; exit; fi
                echo "$PWD $*" >> "\(folder)/calls"
                while [ "$1" != --scratch-path ]; do shift; done
                scratch=$2
                \(build)
                """
            )
            #expect(chmod(swift.string, 0o755) == 0)
        }

        var program: GuestProgram {
            var program = GuestProgram(packageRoot: root, cache: cache, events: .discarding)
            program.searchPath = "\(bin):/usr/bin:/bin"
            return program
        }

        var calls: [Substring] {
            get throws { try root.removingLastComponent().appending("calls").text().split(separator: "\n") }
        }
    }

    private static let succeeding = """
        mkdir -p "$scratch/release"
        echo program > "$scratch/release/uffd-selftest"
        chmod 755 "$scratch/release/uffd-selftest"
        """

    @Test func isBuiltStaticallyInItsOwnFolderAndKept() async throws {
        try await withTemporaryFolder { folder in
            let package = try Package(in: folder, build: Self.succeeding)
            let program = try await package.program.build()
            #expect(try program.text() == "program\n")
            #expect(try await package.program.build() == program)
            let calls = try package.calls
            #expect(calls.count == 1)
            #expect(calls.first?.hasPrefix("\(package.root) build --traits Guest") == true)
            #expect(calls.first?.contains("-Xswiftc -Xclang-linker -Xswiftc -static") == true)
        }
    }

    @Test func onlyTheGuestsSourcesCount() async throws {
        try await withTemporaryFolder { folder in
            let package = try Package(in: folder, build: Self.succeeding)
            let program = try await package.program.build()
            try package.root.pushing("Sources/KernelLab/x.swift").write("// host\n")
            #expect(try await package.program.build() == program)
            try package.root.pushing("Sources/Scenarios/a.swift").write("// changed\n")
            #expect(try await package.program.build() != program)
        }
    }

    @Test func compilerErrorsAreShownOnceWithTheLog() async throws {
        try await withTemporaryFolder { folder in
            let line = "Sources/Scenarios/a.swift:3:5: error: cannot find 'x' in scope"
            let package = try Package(
                in: folder,
                build: "echo \"\(line)\"; echo \"\(line)\"; echo '   `- error: x'; exit 1"
            )
            let error = await #expect(throws: GuestProgramError.self) { try await package.program.build() }
            let log = package.root.pushing(".build-guest/guest-build.log")
            #expect(error == .compile(errors: [line], log: log))
            #expect(error?.exitStatus == .build)
            #expect(try log.text().contains(line))
        }
    }

    @Test func waitingForAnotherSwiftPMIsTold() async throws {
        try await withTemporaryFolder { folder in
            let line = "Another instance of SwiftPM (PID: 1) is already running"
            let notes = Notes()
            var program = try Package(in: folder, build: "echo '\(line)' >&2\n" + Self.succeeding).program
            program.events = notes.sink
            _ = try await program.build()
            #expect(notes.all == [line])
        }
    }

    @Test func fullDiskIsNamed() async throws {
        try await withTemporaryFolder { folder in
            let package = try Package(in: folder, build: "cp /bin/sh /dev/full || exit 1")
            let error = await #expect(throws: StorageError.self) { try await package.program.build() }
            #expect(error?.exitStatus == .environment)
        }
    }

    @Test func missingToolchainIsAnEnvironmentError() async throws {
        try await withTemporaryFolder { folder in
            var program = try Package(in: folder, build: "").program
            program.searchPath = folder.string
            let error = await #expect(throws: ToolError.self) { try await program.build() }
            #expect(error == .missing(program: "swift"))
        }
    }

    @Test func folderWithoutThePackageIsNamed() async throws {
        try await withTemporaryFolder { folder in
            var program = try Package(in: folder, build: "").program
            program.packageRoot = folder.appending("elsewhere")
            let error = await #expect(throws: GuestProgramError.self) { try await program.build() }
            #expect(error?.exitStatus == .usage)
            #expect(error?.description.contains("elsewhere") == true)
        }
    }
}
