// SPDX-License-Identifier: GPL-2.0-only

extension Duration {
    /// The duration as people read it: "0.4 s", "12 s", "3 min 05 s", "1 h 02 min".
    var spoken: String {
        let tenths = (milliseconds + 50) / 100
        if tenths < 100 { return "\(tenths / 10).\(tenths % 10) s" }
        let seconds = (milliseconds + 500) / 1000
        if seconds < 60 { return "\(seconds) s" }
        if seconds < 3600 { return "\(seconds / 60) min \(twoDigits(seconds % 60)) s" }
        return "\(seconds / 3600) h \(twoDigits(seconds / 60 % 60)) min"
    }

    /// The duration as a clock: "0:07", "12:31", "1:02:03".
    var clock: String {
        let seconds = components.seconds
        let minutes = seconds / 60 % 60
        return seconds < 3600
            ? "\(minutes):\(twoDigits(seconds % 60))"
            : "\(seconds / 3600):\(twoDigits(minutes)):\(twoDigits(seconds % 60))"
    }

    private var milliseconds: Int64 {
        components.seconds * 1000 + components.attoseconds / 1_000_000_000_000_000
    }

    private func twoDigits(_ number: Int64) -> String {
        number < 10 ? "0\(number)" : "\(number)"
    }
}

extension Int {
    /// The number with thousands apart: "2,650".
    var grouped: String {
        let digits = String(magnitude)
        let groups = stride(from: digits.count, to: 0, by: -3).map { end in
            String(digits.prefix(end).suffix(3))
        }
        return (self < 0 ? "-" : "") + groups.reversed().joined(separator: ",")
    }
}
