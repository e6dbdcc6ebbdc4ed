// SPDX-License-Identifier: GPL-2.0-only

import Foundation
import KernelLab
import SystemPackage

/// The programs that the guest runs instead of scenarios, and the list by which it knows them (`uffd-selftest --run`).
///
/// A list in a file, not arguments: the kernel gives PID 1 at most 32 words, and cannot be given all characters.
struct GuestProgramList: Sendable {
    /// Where the list is in the guest.
    static let path: FilePath = "/kselftest/list"

    private let tests: [BuiltKselftest]
    private let arguments: [String]

    init(_ tests: [BuiltKselftest], arguments: [String]) {
        self.tests = tests
        self.arguments = arguments
    }

    /// One line a program: name, seconds, path and arguments, with a tab between them.
    var text: String {
        tests.map { test in
            let fields = [test.name.description, "\(test.seconds)", place(of: test).string] + arguments
            return fields.joined(separator: "\t") + "\n"
        }.joined()
    }

    /// Hands `pack` what to add to the initramfs; the list is a file only as long as that takes.
    func packing<Value>(_ pack: ([Initramfs.ExtraFile]) async throws -> Value) async throws -> Value {
        let folder = FilePath(FileManager.default.temporaryDirectory.path).appending("rwp-\(UUID().uuidString)")
        try FileManager.default.createDirectory(atPath: folder.string, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder.string) }
        let list = folder.appending("list")
        try Data(text.utf8).write(to: URL(fileURLWithPath: list.string))
        let programs = tests.map { Initramfs.ExtraFile(source: $0.program, destination: place(of: $0)) }
        return try await pack(programs + [.init(source: list, destination: Self.path, mode: 0o644)])
    }

    private func place(of test: BuiltKselftest) -> FilePath {
        Self.path.removingLastComponent().pushing(FilePath(test.name.collection)).appending(test.name.test)
    }
}
