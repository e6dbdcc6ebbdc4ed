// SPDX-License-Identifier: GPL-2.0-only

import CUserfaultfd
import Userfaultfd

/// The kernel modules that the host packed, in /modules.
enum Modules {
    /// The list: a line for each module, "FILE[ OPTIONS]", in the order in which they load.
    static let order = "/modules/order"

    /// Loads every module of the list; the first that cannot be loaded is a failure, since who packed it needs it.
    static func loadAll() throws(Failure) {
        guard FileAccess.exists(order) else { return }
        for line in try FileAccess.lines(order) {
            let words = line.words
            guard let file = words.first else { continue }
            var options = ""
            for word in words.dropFirst() { options += (options.utf8.isEmpty ? "" : " ") + word }
            try load(file.begins(with: "/") ? file : "/modules/\(file)", options)
        }
    }

    private static func load(_ path: String, _ options: String) throws(Failure) {
        let descriptor = try checked("module \(path)", cuffd_open(path, O_RDONLY, 0))
        defer { close(descriptor) }
        let isCompressed: Int32 = path.ends(with: ".ko") ? 0 : 1
        let result = cuffd_finit_module(descriptor, options, isCompressed)
        // A module whose code is in the kernel already, or that was named twice, is as good as loaded.
        if result < 0 && -result != EEXIST { throw Failure(call: "loading of module \(path)", code: -result) }
    }
}
