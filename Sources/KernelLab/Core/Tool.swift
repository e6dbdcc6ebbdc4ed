// SPDX-License-Identifier: GPL-2.0-only

import Foundation
import Subprocess
import SystemPackage

/// An external program, and how to run it.
///
/// The program leads a session of its own. When the task that runs it is cancelled, the whole session gets
/// SIGTERM and, `grace` later, SIGKILL; the call returns, by throwing `CancellationError`, when no process of it runs.
/// Whatever of the session outlives the program itself is ended in the same way. Standard input is empty.
public struct Tool: Sendable {
    /// The file that is executed.
    public var path: FilePath
    /// What is set in (or, with nil, removed from) the environment that the program inherits.
    ///
    /// Messages are read by us, so `LC_ALL` is `C` unless this says otherwise.
    public var environment: [String: String?] = ["LC_ALL": "C"]
    /// The folder that the program starts in; ours, if nil.
    public var workingDirectory: FilePath?
    /// How long a cancelled program has to end by itself.
    public var grace: Duration = .seconds(5)

    /// A tool at a known place; nothing is looked up.
    public init(path: FilePath) {
        self.path = path
    }

    /// Finds `program` on PATH.
    ///
    /// - Throws: `ToolError.missing`, which names the Debian package that has the program.
    public static func find(_ program: String, searchPath: String? = nil) throws(ToolError) -> Tool {
        let folders = searchPath ?? ProcessInfo.processInfo.environment["PATH"] ?? "/usr/local/bin:/usr/bin:/bin"
        for folder in folders.split(separator: ":") where folder.hasPrefix("/") {
            let candidate = FilePath(String(folder)).appending(program)
            var isFolder: ObjCBool = false
            guard FileManager.default.fileExists(atPath: candidate.string, isDirectory: &isFolder) else { continue }
            if !isFolder.boolValue, FileManager.default.isExecutableFile(atPath: candidate.string) {
                return Tool(path: candidate)
            }
        }
        throw .missing(program: program)
    }

    /// Runs the program to its end.
    ///
    /// - Parameters:
    ///   - log: A file that gets everything that the program prints, appended as it arrives; its folder must exist.
    ///   - onLine: Called with each line of standard output and standard error, in the order printed.
    /// - Throws: `ToolError.failed` unless it exits with status 0.
    public func run(
        _ arguments: [String],
        log: FilePath? = nil,
        onLine: (@Sendable (String) -> Void)? = nil
    ) async throws {
        let (status, lastLines) = try await execute(arguments, log: log, onLine: onLine)
        try check(arguments, status, lastLines, log: log)
    }

    /// Runs the program to its end and returns how it ended; only a program that cannot be run is an error.
    public func status(
        _ arguments: [String],
        log: FilePath? = nil,
        onLine: (@Sendable (String) -> Void)? = nil
    ) async throws -> ToolStatus {
        try await execute(arguments, log: log, onLine: onLine).status
    }

    /// Runs the program to its end and returns its standard output.
    ///
    /// - Parameter limit: Bytes of standard output at most; more is `ToolError.tooMuchOutput`.
    /// - Throws: `ToolError.failed`, with the last lines of standard error, unless it exits with status 0.
    public func capture(_ arguments: [String], limit: Int = 16 << 20) async throws -> String {
        let (status, output, lastLines) = try await collect(arguments, limit: limit)
        try check(arguments, status, lastLines, log: nil)
        return String(decoding: output, as: UTF8.self)
    }

    /// The command as a shell would take it, for messages.
    public func commandLine(_ arguments: [String]) -> String {
        let words = [path.lastComponent?.string ?? path.string] + arguments
        return words.map { word in
            let plain = !word.isEmpty && word.allSatisfy { $0.isLetter || $0.isNumber || "-_./=:,+@%^~".contains($0) }
            return plain ? word : "'" + word.replacingOccurrences(of: "'", with: "'\\''") + "'"
        }.joined(separator: " ")
    }

    private func check(_ arguments: [String], _ status: ToolStatus, _ lastLines: [String], log: FilePath?) throws {
        guard !status.isSuccess else { return }
        throw ToolError.failed(command: commandLine(arguments), status: status, lastLines: lastLines, log: log)
    }
}

// MARK: - Running

extension Tool {
    /// Runs the program with both its outputs in one pipe, which keeps their order.
    private func execute(
        _ arguments: [String],
        log: FilePath?,
        onLine: (@Sendable (String) -> Void)?
    ) async throws -> (status: ToolStatus, lastLines: [String]) {
        let logFile = try log.map { path in try LogFile(path) }
        defer { logFile?.close() }
        return try await starting(arguments) {
            let result = try await Subprocess.run(
                configuration(arguments),
                input: .none,
                output: .sequence,
                error: .combinedWithOutput
            ) { execution in
                try await supervising(execution.processIdentifier) {
                    var splitter = LineSplitter()
                    var lastLines = LastLines()
                    func take(_ line: String) {
                        lastLines.append(line)
                        onLine?(line)
                    }
                    for try await buffer in execution.standardOutput {
                        let bytes = buffer.withUnsafeBytes { Array($0) }
                        try logFile?.write(bytes)
                        splitter.append(bytes, take)
                    }
                    splitter.finish(take)
                    return lastLines.lines
                }
            }
            return (ToolStatus(result.terminationStatus), result.closureResult)
        }
    }

    /// Runs the program with its outputs apart: standard output whole, standard error's last lines.
    private func collect(
        _ arguments: [String],
        limit: Int
    ) async throws -> (status: ToolStatus, output: [UInt8], lastLines: [String]) {
        try await starting(arguments) {
            let result = try await Subprocess.run(
                configuration(arguments),
                input: .none,
                output: .sequence,
                error: .sequence
            ) { execution in
                try await supervising(execution.processIdentifier) {
                    async let lastLines = Self.lastLines(of: execution.standardError)
                    var output: [UInt8] = []
                    for try await buffer in execution.standardOutput {
                        buffer.withUnsafeBytes { output.append(contentsOf: $0) }
                        guard output.count <= limit else {
                            throw ToolError.tooMuchOutput(command: commandLine(arguments), limit: limit)
                        }
                    }
                    return (output, try await lastLines)
                }
            }
            return (ToolStatus(result.terminationStatus), result.closureResult.0, result.closureResult.1)
        }
    }

    private static func lastLines(of sequence: SubprocessOutputSequence) async throws -> [String] {
        var splitter = LineSplitter()
        var lastLines = LastLines()
        for try await buffer in sequence {
            splitter.append(buffer.withUnsafeBytes { Array($0) }) { lastLines.append($0) }
        }
        splitter.finish { lastLines.append($0) }
        return lastLines.lines
    }

    private func configuration(_ arguments: [String]) -> Configuration {
        var options = PlatformOptions()
        options.createSession = true
        options.teardownSequence = [.gracefulShutDown(toProcessGroup: true, allowedDurationToNextStep: grace)]
        let changes = environment.map { (Environment.Key(stringLiteral: $0.key), $0.value) }
        return Configuration(
            executable: .path(path),
            arguments: Arguments(arguments),
            environment: .inherit.updating(Dictionary(uniqueKeysWithValues: changes)),
            workingDirectory: workingDirectory,
            platformOptions: options
        )
    }

    /// Runs `body`, which reads what the program prints, and sees to it that the session has ended when this returns.
    ///
    /// Subprocess ends the leader's group for a cancelled task too, but stops when the leader has gone: a child that
    /// ignores SIGTERM would stay. The leader is reaped only after this returns, so its ID still names the session.
    private func supervising<Value: Sendable>(
        _ process: ProcessIdentifier,
        _ body: () async throws -> Value
    ) async throws -> Value {
        let session = ProcessSession(leader: process.value)
        RunningTools.insert(session)
        defer { RunningTools.remove(session) }
        do {
            let value = try await body()
            await session.waitForLeader()
            await session.end(grace: grace)
            return value
        } catch {
            await session.end(grace: grace)
            throw error
        }
    }

    /// Turns Subprocess's errors into ours, and any end of a cancelled run into `CancellationError`.
    private func starting<Value>(_ arguments: [String], _ body: () async throws -> Value) async throws -> Value {
        do {
            try Task.checkCancellation()
            let value = try await body()
            try Task.checkCancellation()
            return value
        } catch let error as SubprocessError {
            try Task.checkCancellation()
            throw ToolError.notStarted(command: commandLine(arguments), reason: "\(error)")
        } catch {
            try Task.checkCancellation()
            throw error
        }
    }
}

extension ToolStatus {
    fileprivate init(_ status: TerminationStatus) {
        switch status {
        case .exited(let code): self = .exited(code)
        case .signaled(let signal): self = .signaled(signal)
        }
    }
}

/// The file that keeps what a program prints.
private struct LogFile {
    private let path: FilePath
    private let descriptor: FileDescriptor

    init(_ path: FilePath) throws {
        self.path = path
        do {
            descriptor = try FileDescriptor.open(
                path,
                .writeOnly,
                options: [.create, .append, .closeOnExec],
                permissions: [.ownerReadWrite, .groupRead, .otherRead]
            )
        } catch let error as Errno {
            throw ToolError.logNotWritten(log: path, error: error)
        }
    }

    func write(_ bytes: [UInt8]) throws {
        do {
            try descriptor.writeAll(bytes)
        } catch let error as Errno {
            throw ToolError.logNotWritten(log: path, error: error)
        }
    }

    func close() {
        try? descriptor.close()
    }
}
