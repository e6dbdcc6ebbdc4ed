// SPDX-License-Identifier: GPL-2.0-only

import Userfaultfd

/// Settings of the whole machine that scenarios change, as they were before.
///
/// The runner puts them back after each scenario, since a scenario that fails or is killed cannot. For a machine of the
/// suite's own: on another one the settings are somebody's who may change them meanwhile.
public struct GlobalSettings: Sendable {
    private let values: [(path: StaticString, value: String)]

    /// KSM (Documentation/admin-guide/mm/ksm.rst), NUMA balancing and core dumps; KSM's `run` comes last of its, so that
    /// nothing runs with half of its settings.
    private static let paths: [StaticString] = [
        "/sys/kernel/mm/ksm/use_zero_pages", "/sys/kernel/mm/ksm/sleep_millisecs", "/sys/kernel/mm/ksm/pages_to_scan",
        "/sys/kernel/mm/ksm/smart_scan", "/sys/kernel/mm/ksm/run",
        "/sys/kernel/debug/sched/numa_balancing/scan_delay_ms",
        "/sys/kernel/debug/sched/numa_balancing/scan_period_min_ms",
        "/sys/kernel/debug/sched/numa_balancing/scan_period_max_ms", "/proc/sys/kernel/numa_balancing",
        "/proc/sys/kernel/core_pattern",
    ]

    /// Reads those that the kernel has.
    public init() {
        var values: [(path: StaticString, value: String)] = []
        for path in GlobalSettings.paths {
            if let value = try? FileAccess.line(path.text) { values.append((path, value)) }
        }
        self.values = values
    }

    /// Writes those that differ by now.
    public func restore() throws(Failure) {
        for (path, value) in values where try !FileAccess.line(path.text).isSame(as: value) {
            try FileAccess.write(path.text, value)
        }
    }

    /// Changes settings until the scenario is over.
    static func set(_ settings: [(StaticString, StaticString)]) throws(Failure) {
        for (path, value) in settings { try FileAccess.write(path.text, value.text) }
    }
}
