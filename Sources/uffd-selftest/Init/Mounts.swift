// SPDX-License-Identifier: GPL-2.0-only

import CUserfaultfd
import Userfaultfd

/// The file systems that scenarios and the runner use.
enum Mounts {
    /// Opens /dev/null as standard streams that the kernel did not open: it does not where there is no console, and
    /// descriptors 0 to 2 would become something else.
    static func makeStandardStreams() {
        mkdir("/dev", 0o755)
        // EBUSY where the kernel mounted it.
        _ = cuffd_mount("devtmpfs", "/dev", "mode=0755")
        while true {
            // Close-on-exec does not matter: who becomes another program has streams of its own by then.
            let descriptor = cuffd_open("/dev/null", O_RDWR, 0)
            if descriptor < 0 { return }
            if descriptor > 2 {
                close(descriptor)
                return
            }
        }
    }

    private static let table: [(type: StaticString, path: StaticString, options: StaticString)] = [
        ("proc", "/proc", ""),
        ("sysfs", "/sys", ""),
        ("devpts", "/dev/pts", "mode=0620,ptmxmode=0666"),
        ("tmpfs", "/tmp", "mode=1777"),
        ("tmpfs", "/dev/shm", "mode=1777"),
        ("debugfs", "/sys/kernel/debug", ""),
        ("tracefs", "/sys/kernel/tracing", ""),
        ("cgroup2", "/sys/fs/cgroup", ""),
        ("hugetlbfs", "/dev/hugepages", ""),
    ]

    /// Mounts what there is; a note for each that is not, as kernels without it are welcome too.
    static func mountAll() -> [String] {
        var notes: [String] = []
        for entry in table {
            mkdir(entry.path.text, 0o755)
            let result = cuffd_mount(entry.type.text, entry.path.text, entry.options.text)
            if result < 0 && -result != EBUSY {
                notes.append("no \(entry.type) on \(entry.path): \(Errno(code: -result).name)")
            }
        }
        return notes
    }
}
