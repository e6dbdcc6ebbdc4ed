// SPDX-License-Identifier: GPL-2.0-only

import CUserfaultfd
import Scenarios
import Userfaultfd

/// A pipe(2) that a child writes lines to; reading never blocks.
final class LinePipe {
    /// Where the runner reads.
    let readEnd: Int32
    /// Where the child writes.
    let writeEnd: Int32
    /// Whether a writer is left; without one, poll(2) would report the hang-up again and again.
    private(set) var isOpen = true
    private var assembler = LineAssembler()

    /// Makes a pipe.
    init() throws(Failure) {
        var ends: [Int32] = [-1, -1]
        if pipe2(&ends, O_CLOEXEC) != 0 { throw Failure(call: "pipe2", code: cuffd_errno()) }
        (readEnd, writeEnd) = (ends[0], ends[1])
        _ = cuffd_set_nonblocking(readEnd)
    }

    /// Closes the runner's copy of the end that is the child's.
    func closeWriteEnd() { _ = CUserfaultfd.close(writeEnd) }

    /// Closes the runner's end.
    func close() { _ = CUserfaultfd.close(readEnd) }

    /// The lines that are whole now.
    func lines() -> [String] {
        var lines: [String] = []
        var buffer = [UInt8](repeating: 0, count: 16384)
        // A child that writes without end must not keep the runner here: it comes again after the next poll.
        for _ in 0..<4 {
            let count = read(readEnd, &buffer, buffer.count)
            if count == 0 { isOpen = false }
            if count <= 0 { break }
            lines += assembler.add(buffer[..<count])
        }
        return lines
    }

    /// What came after the last end of line; nil where there was nothing.
    func finish() -> String? { assembler.finish() }
}
