import CUserfaultfd
// SPDX-License-Identifier: GPL-2.0-only
import Userfaultfd

do throws(Failure) {
    let h = try Userfaultfd.offered()
    let t = try Thread { () throws(Failure) in throw Failure("boo \(h.features.description)") }
    try t.join()
} catch {
    print(error.message)
}
