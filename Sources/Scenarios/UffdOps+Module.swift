// SPDX-License-Identifier: GPL-2.0-only

import CUserfaultfd
import Userfaultfd

/// The kernel's test module whose files take part in userfaultfd (`lib/test_uffd_ops.c`, a patch of the series).
enum UffdOpsModule {
    static let name = "test_uffd_ops"

    /// What scenarios about it need.
    static let needs: [Need] = [.file("/dev/test_uffd_ops", "CONFIG_TEST_UFFD_OPS and its module"), .root]

    /// What scenarios need beside that which unload it.
    static let unloadable: [Need] = [
        .ownMachine, .file("/sys/module/test_uffd_ops/refcnt", "CONFIG_TEST_UFFD_OPS=m"),
    ]

    /// A mapping of a new file of the module's, whose mappings can be registered for `modes`; unpopulated. With
    /// `mapsHuge`, the module has a `->huge_fault()`.
    static func memory(
        pages: Int,
        _ modes: RegisterMode,
        shared: Bool = true,
        mapsHuge: Bool = false
    ) throws(Failure) -> Memory {
        let device = try checked("open of \(name)", cuffd_open("/dev/\(name)", O_RDWR, 0))
        defer { close(device) }
        var argument = test_uffd_ops_create(
            size: UInt64(pages) * UInt64(basePageSize),
            modes: modes.rawValue,
            flags: mapsHuge ? 1 : 0
        )
        let file = try checked("TEST_UFFD_OPS_CREATE", cuffd_ioctl(device, CUFFD_TEST_UFFD_OPS_CREATE, &argument))
        return try Memory(shared ? .shmem : .shmemPrivate, pages: pages, of: Int32(file))
    }

    /// How many users the module has.
    static func users() throws(Failure) -> Int {
        try FileAccess.number("/sys/module/\(name)/refcnt")
    }

    /// Unloads the module (delete_module(2)).
    static func unload() throws(Failure) {
        let result = cuffd_delete_module(name)
        if result < 0 { throw Failure(call: "delete_module of \(name)", code: -result) }
    }

    /// Loads the module again, from where PID 1 found it.
    static func load() throws(Failure) {
        for line in try FileAccess.lines("/modules/order") where line.includes(name) {
            guard let file = line.words.first else { continue }
            let descriptor = try checked("open of \(file)", cuffd_open("/modules/\(file)", O_RDONLY, 0))
            defer { close(descriptor) }
            let result = cuffd_finit_module(descriptor, "", 0)
            if result < 0 { throw Failure(call: "finit_module of \(file)", code: -result) }
            return
        }
        throw Failure("/modules/order does not name \(name)")
    }
}
