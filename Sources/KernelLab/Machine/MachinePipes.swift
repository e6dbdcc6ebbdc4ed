// SPDX-License-Identifier: GPL-2.0-only

import Foundation
import SystemPackage

/// What comes out of a running machine.
enum MachineInput: Sendable {
    /// Bytes of the kernel's console.
    case console([UInt8])
    /// Bytes of the guest's KTAP stream.
    case ktap([UInt8])
    /// A limit may have passed.
    case timer
    /// QEMU has ended, and nothing else will come. The status is nil where it was us who ended it.
    case ended(ToolStatus?, messages: [String])
}

/// The two FIFOs (fifo(7)) that QEMU writes the machine's console and results to.
///
/// We read both for as long as anybody can write, so QEMU, and with it the guest, never waits for a reader. We hold
/// each FIFO's writing end, too, until QEMU has ended: else a FIFO that QEMU has not opened yet would look closed.
struct MachinePipes {
    let console: FilePath
    let ktap: FilePath
    private let readers: [FileDescriptor]
    private let writers: [FileDescriptor]

    /// Makes both FIFOs in `folder`, in the place of those of an earlier run.
    init(in folder: FilePath) throws(MachineError) {
        console = folder.appending("console.fifo")
        ktap = folder.appending("ktap.fifo")
        var (readers, writers): ([FileDescriptor], [FileDescriptor]) = ([], [])
        do {
            for path in [console, ktap] {
                let (reader, writer) = try Self.open(path)
                readers.append(reader)
                writers.append(writer)
            }
        } catch {
            (readers + writers).forEach { try? $0.close() }
            throw error
        }
        (self.readers, self.writers) = (readers, writers)
    }

    /// Reads both to their end, on a thread each, and hands on what comes; returns when both have ended.
    func drain(into inputs: AsyncStream<MachineInput>.Continuation) async {
        async let console: Void = Self.drain(readers[0]) { inputs.yield(.console($0)) }
        async let ktap: Void = Self.drain(readers[1]) { inputs.yield(.ktap($0)) }
        _ = await (console, ktap)
    }

    /// QEMU has ended: what it wrote can be read to the end now, and nothing more comes.
    func closeWriters() {
        writers.forEach { try? $0.close() }
    }

    /// Removes both FIFOs.
    func remove() {
        for path in [console, ktap] { unlink(path.string) }
    }

    private static func open(_ path: FilePath) throws(MachineError) -> (FileDescriptor, FileDescriptor) {
        unlink(path.string)
        guard mkfifo(path.string, 0o600) == 0 else { throw .unwritable(file: path, error: Errno(rawValue: errno)) }
        do {
            // Nobody writes yet, so that only a non-blocking open of the reading end returns.
            let reader = try FileDescriptor.open(path, .readOnly, options: [.nonBlocking, .closeOnExec])
            let writer = try FileDescriptor.open(path, .writeOnly, options: .closeOnExec)
            _ = fcntl(reader.rawValue, F_SETFL, 0)
            return (reader, writer)
        } catch {
            throw .unwritable(file: path, error: error as? Errno ?? .ioError)
        }
    }

    /// Reads on a thread of its own: a blocking read in a task would keep one of the few threads that tasks share.
    private static func drain(_ reader: FileDescriptor, _ body: @escaping @Sendable ([UInt8]) -> Void) async {
        await withCheckedContinuation { continuation in
            Thread {
                var buffer = [UInt8](repeating: 0, count: 64 << 10)
                while let count = try? buffer.withUnsafeMutableBytes({ try reader.read(into: $0) }), count > 0 {
                    body(Array(buffer[..<count]))
                }
                try? reader.close()
                continuation.resume()
            }.start()
        }
    }
}
