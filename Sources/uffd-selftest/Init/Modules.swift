// SPDX-License-Identifier: GPL-2.0-only

import CUserfaultfd
import Userfaultfd

/// The kernel modules that the host packed, in /modules.
enum Modules {
    /// The list: a line for each module, "FILE[ OPTIONS]", in the order in which they load.
    static let order = "/modules/order"

    /// Loads every module of the list. The first that cannot be loaded is a failure, since who packed it needs it; but a
    /// driver of hardware that this machine lacks (kvm_intel on AMD's CPUs) is a note, and gives one.
    static func loadAll() throws(Failure) -> [String] {
        guard FileAccess.exists(order) else { return [] }
        var notes: [String] = []
        for line in try FileAccess.lines(order) {
            let words = line.words
            guard let file = words.first else { continue }
            var options = ""
            for word in words.dropFirst() { options += (options.utf8.isEmpty ? "" : " ") + word }
            if try !load(file.begins(with: "/") ? file : "/modules/\(file)", options) {
                notes.append("module \(file): this machine lacks the hardware")
            }
        }
        return notes
    }

    /// Loads one module; false where the machine lacks the hardware that it drives.
    private static func load(_ path: String, _ options: String) throws(Failure) -> Bool {
        let descriptor = try checked("module \(path)", cuffd_open(path, O_RDONLY, 0))
        defer { close(descriptor) }
        let isCompressed: Int32 = path.ends(with: ".ko") ? 0 : 1
        let result = cuffd_finit_module(descriptor, options, isCompressed)
        switch -result {
        case ENODEV, EOPNOTSUPP: return false
        // A module whose code is in the kernel already, or that was named twice, is as good as loaded.
        case EEXIST: return true
        case let code where code > 0: throw Failure(call: "loading of module \(path)", code: code)
        default: return true
        }
    }
}
