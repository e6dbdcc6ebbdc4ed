// SPDX-License-Identifier: GPL-2.0-only

import CUserfaultfd
import Userfaultfd

/// The virtio-serial port to the host (`Documentation/ABI/testing/sysfs-class`, class virtio-ports).
enum Port {
    /// The name that the host gives the port.
    static let name = "org.uffd-rwp.ktap"

    /// Opens the port of that name; nil where the machine has none.
    static func open() throws(Failure) -> Output? {
        for file in FileAccess.names(in: "/sys/class/virtio-ports") {
            let path = "/sys/class/virtio-ports/\(file)/name"
            guard let found = try? FileAccess.line(path), found.isSame(as: name) else { continue }
            return Output(descriptor: try checked("open of /dev/\(file)", cuffd_open("/dev/\(file)", O_WRONLY, 0)))
        }
        return nil
    }
}
