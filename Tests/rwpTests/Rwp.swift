// SPDX-License-Identifier: GPL-2.0-only

import Foundation

/// The real program, run as a user runs it.
struct Rwp {
    /// How a run ended and what it said.
    struct Result: Sendable {
        var status: Int32
        var output: String
        var error: String
    }

    /// The program that was built beside the tests.
    static let path = URL(fileURLWithPath: CommandLine.arguments[0]).deletingLastPathComponent()
        .appendingPathComponent("rwp").path

    /// Runs it to its end.
    ///
    /// - Parameter whileRunning: Called with its process ID after its start.
    static func run(
        _ arguments: [String],
        environment: [String: String] = [:],
        in folder: String? = nil,
        whileRunning: (pid_t) throws -> Void = { _ in }
    ) throws -> Result {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: path)
        process.arguments = arguments
        process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
        if let folder { process.currentDirectoryURL = URL(fileURLWithPath: folder) }
        // Files, not pipes: what a run prints can be more than a pipe holds.
        let scratch = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString)
        try FileManager.default.createDirectory(at: scratch, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: scratch) }
        func file(_ name: String) throws -> FileHandle {
            let url = scratch.appendingPathComponent(name)
            try Data().write(to: url)
            return try FileHandle(forWritingTo: url)
        }
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = try file("output")
        process.standardError = try file("error")
        try process.run()
        try whileRunning(process.processIdentifier)
        process.waitUntilExit()
        func text(_ name: String) throws -> String {
            String(decoding: try Data(contentsOf: scratch.appendingPathComponent(name)), as: UTF8.self)
        }
        return Result(status: process.terminationStatus, output: try text("output"), error: try text("error"))
    }
}
