// SPDX-License-Identifier: GPL-2.0-only

import SystemPackage

/// Reads and checks one description.
struct MachineDescriptionReader {
    let path: FilePath

    func read() throws(DescriptionError) -> MachineDescription {
        let document = try TOMLDocument(path: path)
        let machine = try document.decode(MachineDescription.self, shape: .machine)
        for (key, reason) in MachineCheck.complaints(about: machine) { throw document.badValue(key, reason) }
        return machine
    }
}
