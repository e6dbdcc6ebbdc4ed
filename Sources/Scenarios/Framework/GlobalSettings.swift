// SPDX-License-Identifier: GPL-2.0-only

import Userfaultfd

/// Settings of the whole machine that scenarios change, as they were before.
///
/// The runner puts them back after each scenario, since a scenario that fails or is killed cannot. For a machine of the
/// suite's own: on another one the settings are somebody's who may change them meanwhile.
public struct GlobalSettings: Sendable {
    private let values: [(path: StaticString, value: String)]

    /// Whether khugepaged traces what it scans (Documentation/trace/events.rst).
    static let collapseTrace: StaticString =
        "/sys/kernel/tracing/events/huge_memory/mm_khugepaged_scan_pmd/enable"

    /// How many VMAs a process may have (Documentation/admin-guide/sysctl/vm.rst).
    static let mostMappings: StaticString = "/proc/sys/vm/max_map_count"

    /// Which folios of 64 KiB anonymous memory gets, and files in memory
    /// (Documentation/admin-guide/mm/transhuge.rst).
    static let folioSize: StaticString = "/sys/kernel/mm/transparent_hugepage/hugepages-64kB/enabled"
    static let shmemFolioSize: StaticString = "/sys/kernel/mm/transparent_hugepage/hugepages-64kB/shmem_enabled"

    /// How long khugepaged sleeps, and how many pages it scans in between (the same document); milliseconds.
    static let collapseAllocationSleep: StaticString =
        "/sys/kernel/mm/transparent_hugepage/khugepaged/alloc_sleep_millisecs"
    static let collapseScanSleep: StaticString =
        "/sys/kernel/mm/transparent_hugepage/khugepaged/scan_sleep_millisecs"
    static let collapsePages: StaticString = "/sys/kernel/mm/transparent_hugepage/khugepaged/pages_to_scan"

    /// KSM (Documentation/admin-guide/mm/ksm.rst), NUMA balancing, core dumps, sizes of folios and khugepaged; KSM's `run`
    /// comes last of its, so that nothing runs with half of its settings.
    private static let paths: [StaticString] = [
        collapseTrace,
        "/sys/kernel/mm/ksm/use_zero_pages", "/sys/kernel/mm/ksm/sleep_millisecs", "/sys/kernel/mm/ksm/pages_to_scan",
        "/sys/kernel/mm/ksm/smart_scan", "/sys/kernel/mm/ksm/run",
        "/sys/kernel/debug/sched/numa_balancing/scan_delay_ms",
        "/sys/kernel/debug/sched/numa_balancing/scan_period_min_ms",
        "/sys/kernel/debug/sched/numa_balancing/scan_period_max_ms", "/proc/sys/kernel/numa_balancing",
        "/proc/sys/kernel/core_pattern", mostMappings, folioSize, shmemFolioSize,
        collapseAllocationSleep, collapsePages, collapseScanSleep,
    ]

    /// Reads those that the kernel has.
    public init() {
        var values: [(path: StaticString, value: String)] = []
        for path in GlobalSettings.paths {
            if let value = try? GlobalSettings.value(path.text) { values.append((path, value)) }
        }
        self.values = values
    }

    /// Writes those that differ by now.
    public func restore() throws(Failure) {
        for (path, value) in values where try !GlobalSettings.value(path.text).isSame(as: value) {
            try FileAccess.write(path.text, value)
        }
    }

    /// What to write for a setting to be as it is: of several choices that it lists, the one in brackets
    /// ("always [madvise] never").
    private static func value(_ path: String) throws(Failure) -> String {
        let line = try FileAccess.line(path)
        guard let chosen = line.words.first(where: { $0.begins(with: "[") && $0.ends(with: "]") }) else { return line }
        return String(decoding: Array(chosen.utf8.dropFirst().dropLast()), as: UTF8.self)
    }

    /// Changes settings until the scenario is over.
    static func set(_ settings: [(StaticString, StaticString)]) throws(Failure) {
        for (path, value) in settings { try FileAccess.write(path.text, value.text) }
    }
}
