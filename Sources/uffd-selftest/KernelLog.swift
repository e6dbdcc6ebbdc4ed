// SPDX-License-Identifier: GPL-2.0-only

import CUserfaultfd
import Scenarios
import Userfaultfd

/// The kernel's log (/dev/kmsg) and taint, watched for faults of the kernel's own.
///
/// Who finds one after a scenario knows that it came up since the check before.
final class KernelLog {
    /// What a check found.
    struct Finding {
        /// The failures that it makes.
        var failures: [RunFailure] = []
        /// The log's lines from the first splat on, as far as they are kept.
        var lines: [String] = []
    }

    /// How many lines of a splat are shown.
    private static let lineLimit = 60

    private let reader: Int32
    private let marker: Int32
    private var taint: Int

    /// Opens the log: from the first record of this boot, or from what comes next. EACCES or EPERM without the right
    /// to read it (kernel.dmesg_restrict).
    init(fromBoot: Bool) throws(Failure) {
        reader = try checked("open of /dev/kmsg", cuffd_open("/dev/kmsg", O_RDONLY | O_NONBLOCK, 0))
        marker = cuffd_open("/dev/kmsg", O_WRONLY, 0)
        if !fromBoot { _ = lseek(reader, 0, SEEK_END) }
        taint = fromBoot ? 0 : KernelLog.currentTaint
    }

    /// Writes a line into the log that tells which scenario starts, for who reads the console later.
    func mark(_ name: String) {
        guard marker >= 0 else { return }
        Output(descriptor: marker).line("<6>uffd-selftest: \(name)")
    }

    /// Judges what came into the log since the last check.
    func check() -> Finding {
        var finding = Finding()
        var splats = 0
        var isInside = false
        while let record = next(&finding) {
            if record.isSplat {
                splats += 1
                isInside = true
                if splats == 1 { finding.failures.append(RunFailure("kernel-log", record.text)) }
            }
            guard isInside && record.facility == 0 else { continue }
            if finding.lines.count < KernelLog.lineLimit { finding.lines.append(record.text) }
            if record.endsSplat { isInside = false }
        }
        if splats > 1 { finding.lines.append("(\(splats) lines in all that begin a report)") }
        checkTaint(&finding)
        return finding
    }

    private func next(_ finding: inout Finding) -> KernelRecord? {
        var buffer = [UInt8](repeating: 0, count: 8192)
        while true {
            let count = read(reader, &buffer, buffer.count)
            if count > 0 {
                if let record = KernelRecord(buffer[..<count]) { return record }
                continue
            }
            let code = cuffd_errno()
            // EPIPE: records were overwritten before they were read; the next read goes on with the oldest there is.
            if count < 0 && code == EPIPE {
                finding.lines.append("(the log overflowed; some lines were not seen)")
            } else if count == 0 || code != EINTR {
                return nil
            }
        }
    }

    private func checkTaint(_ finding: inout Finding) {
        let now = KernelLog.currentTaint
        let new = now & ~taint & KernelTaint.faults
        taint = now
        if new != 0 && finding.failures.isEmpty {
            finding.failures.append(RunFailure("kernel-taint", KernelTaint.words(new)))
        }
    }

    private static var currentTaint: Int {
        (try? FileAccess.number("/proc/sys/kernel/tainted")) ?? 0
    }
}
