// SPDX-License-Identifier: GPL-2.0-only

extension TOMLShape {
    /// A machine's description; `MachineDescription` says what each key means.
    static let machine = TOMLShape.table([
        "architecture": .string,
        "cpus": .integer,
        "memory-mib": .integer,
        "numa-node": .tables(["cpus": .integers, "memory-mib": .integer]),
        "qemu": .table([
            "binary": .string, "minimum-version": .string, "machine": .string, "devices": .strings,
            "serial-bus": .string, "arguments": .strings,
        ]),
        "accelerator": .table([
            "kvm": .optional(.table(["cpu": .string, "first-byte-seconds": .integer])),
            "tcg": .optional(.table(["cpu": .string, "options": .strings])),
        ]),
        "kernel": .table(["console": .string, "arguments": .strings]),
        "modules": .table(["required": .strings, "optional": .strings]),
        "guest": .table(["swap-mib": .integer, "huge-pages-per-node": .integer]),
        "limits": .table(["boot-seconds": .integer, "silence-seconds": .integer, "power-off-seconds": .integer]),
    ])
}
