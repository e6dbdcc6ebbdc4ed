// SPDX-License-Identifier: GPL-2.0-only

import SystemPackage

/// What has come out of a machine so far: both streams, in files and taken apart.
struct MachineRecord {
    private(set) var collector = SuiteCollector()
    private(set) var lastConsoleLines = LastLines()
    private(set) var hasConsole = false
    /// What the kernel said when it panicked.
    private(set) var panic: String?
    private(set) var kernelRelease: String?
    private let events: EventSink
    private let console: RawLog
    private let ktap: RawLog
    private var consoleLines = LineSplitter()

    /// Makes both files in `folder`, empty.
    init(in folder: FilePath, events: EventSink) throws(MachineError) {
        self.events = events
        console = try RawLog(folder.appending("console.log"))
        ktap = try RawLog(folder.appending("ktap.txt"))
    }

    var consolePath: FilePath { console.path }
    var ktapPath: FilePath { ktap.path }

    /// Takes what the kernel printed.
    mutating func takeConsole(_ bytes: [UInt8]) throws(MachineError) {
        hasConsole = true
        try console.write(bytes)
        var lines: [String] = []
        consoleLines.append(bytes) { lines.append($0) }
        lines.forEach { takeConsoleLine($0) }
    }

    /// Takes what the guest reported.
    mutating func takeResults(_ bytes: [UInt8]) throws(MachineError) {
        try ktap.write(bytes)
        for event in collector.receive(bytes) { events.send(.ktap(event)) }
    }

    /// The machine has ended: nothing more comes.
    mutating func finish() -> SuiteResult {
        var lines: [String] = []
        consoleLines.finish { lines.append($0) }
        lines.forEach { takeConsoleLine($0) }
        return collector.finish()
    }

    private mutating func takeConsoleLine(_ line: String) {
        lastConsoleLines.append(line)
        events.send(.console(line))
        if panic == nil, let found = line.firstRange(of: "Kernel panic - not syncing: ") {
            panic = String(line[found.upperBound...])
        } else if kernelRelease == nil, let found = line.firstRange(of: "Linux version ") {
            kernelRelease = line[found.upperBound...].split(separator: " ").first.map(String.init)
        }
    }
}

/// A file that keeps a stream as it came. It is closed with its owner.
private final class RawLog: Sendable {
    let path: FilePath
    private let descriptor: FileDescriptor

    init(_ path: FilePath) throws(MachineError) {
        self.path = path
        do {
            descriptor = try FileDescriptor.open(
                path,
                .writeOnly,
                options: [.create, .truncate, .closeOnExec],
                permissions: [.ownerReadWrite, .groupRead, .otherRead]
            )
        } catch {
            throw .unwritable(file: path, error: error as? Errno ?? .ioError)
        }
    }

    deinit {
        try? descriptor.close()
    }

    func write(_ bytes: [UInt8]) throws(MachineError) {
        do {
            try descriptor.writeAll(bytes)
        } catch {
            throw .unwritable(file: path, error: error as? Errno ?? .ioError)
        }
    }
}
