// SPDX-License-Identifier: GPL-2.0-only

import Userfaultfd

/// What /proc/self/maps and smaps say of the calling process (proc_pid_maps(5), proc_pid_smaps(5)).
public enum AddressSpace {
    /// How many VMAs have a part in the range.
    public static func mappings(in range: AddressRange) throws(Failure) -> Int {
        var count = 0
        for line in try FileAccess.lines("/proc/self/maps") where span(of: line).map({ overlaps($0, range) }) == true {
            count += 1
        }
        return count
    }

    /// The two-letter flags of the VMA at an address (`VmFlags` of smaps): "rd", "um", "uw", "ur" and so on.
    public static func flags(at address: UInt) throws(Failure) -> [String] {
        var inside = false
        for line in try FileAccess.lines("/proc/self/smaps") {
            if let range = span(of: line) { inside = range.contains(address) }
            if inside && line.begins(with: "VmFlags:") { return Array(line.words.dropFirst()) }
        }
        throw Failure("smaps has no VMA at \(hex(address))")
    }

    /// Which of three flags the VMA at an address has in smaps ("um", "uw", "ur").
    static func vmFlags(_ one: String, _ two: String, _ three: String, at address: UInt) throws(Failure) -> [Bool] {
        let flags = try flags(at: address)
        return [one, two, three].map { wanted in flags.contains { $0.isSame(as: wanted) } }
    }

    /// Whether the VMA at an address is registered for read-write protection, as smaps says.
    static func isReadWriteProtect(at address: UInt) throws(Failure) -> Bool {
        try flags(at: address).contains { $0.isSame(as: "ur") }
    }

    /// A field of the VMA at an address in smaps, in KiB ("AnonHugePages").
    public static func kibibytes(_ field: String, at address: UInt) throws(Failure) -> Int {
        var inside = false
        for line in try FileAccess.lines("/proc/self/smaps") {
            if let range = span(of: line) { inside = range.contains(address) }
            guard inside, line.begins(with: field + ":") else { continue }
            if let number = line.words.dropFirst().first?.number { return number }
        }
        throw Failure("smaps has no \(field) for \(hex(address))")
    }

    private static func overlaps(_ one: AddressRange, _ other: AddressRange) -> Bool {
        one.start < other.end && other.start < one.end
    }

    /// The range that a line of maps begins with; nil for the other lines of smaps.
    private static func span(of line: String) -> AddressRange? {
        var values: [UInt] = [0]
        for byte in line.utf8 {
            switch byte {
            case 0x30...0x39: values[values.count - 1] = values[values.count - 1] << 4 | UInt(byte - 0x30)
            case 0x61...0x66: values[values.count - 1] = values[values.count - 1] << 4 | UInt(byte - 0x61 + 10)
            case 0x2D where values.count == 1: values.append(0)
            case 0x20 where values.count == 2:
                return AddressRange(start: values[0], length: values[1] &- values[0])
            default: return nil
            }
        }
        return nil
    }
}
