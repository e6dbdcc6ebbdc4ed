// SPDX-License-Identifier: GPL-2.0-only

import CUserfaultfd
import Userfaultfd

/// What this machine and kernel have, asked once; what changes while scenarios run (swap, free huge pages) is asked
/// each time.
public struct Requirements: Sendable {
    /// What the kernel offers to those who open a userfaultfd as scenarios do; nil where it cannot be opened.
    public let features: Features?
    /// Whether the machine is the suite's own: it runs as PID 1, and nobody minds what breaks.
    public let isOwnMachine: Bool
    private let userfaultfdReason: String?
    private let hasPagemapScan: Bool
    private let hasSoftDirty: Bool

    /// So many free huge pages is what a hugetlb scenario may count on.
    public static let hugePages = 16

    /// Asks the kernel.
    public init(isOwnMachine: Bool) {
        self.isOwnMachine = isOwnMachine
        var features: Features?
        var reason: String?
        do throws(Failure) {
            let probe = try Userfaultfd.open()
            defer { probe.close() }
            features = try probe.handshake().features
        } catch {
            reason = Requirements.words(error)
        }
        self.features = features
        userfaultfdReason = reason
        hasPagemapScan = Requirements.probePagemapScan()
        hasSoftDirty = Requirements.probeSoftDirty()
    }

    /// Why an instance cannot run here; nil where it can.
    public func reasonToSkip(_ instance: Instance) -> String? {
        if let userfaultfdReason, !instance.scenario.isHarness { return userfaultfdReason }
        for need in instance.scenario.needs {
            if let reason = reasonToSkip(need) { return reason }
        }
        return instance.kind.flatMap { reasonToSkip($0) }
    }

    private func reasonToSkip(_ need: Need) -> String? {
        switch need {
        case .features(let wanted):
            guard let features else { return userfaultfdReason }
            let missing = wanted.subtracting(features)
            return missing.isEmpty ? nil : "kernel lacks \(missing.wholeNames)"
        case .without(let unwanted):
            guard let features else { return userfaultfdReason }
            let there = unwanted.intersection(features)
            return there.isEmpty ? nil : "kernel has \(there.wholeNames); this is for kernels without"
        case .file(let path, let option):
            return FileAccess.exists(path.text) ? nil : "no \(path): needs \(option)"
        case .pagemapScan: return hasPagemapScan ? nil : "kernel lacks the PAGEMAP_SCAN ioctl (Linux 6.7)"
        case .softDirty: return hasSoftDirty ? nil : "kernel lacks soft-dirty tracking (CONFIG_MEM_SOFT_DIRTY)"
        case .giganticPage: return Requirements.giganticPageReason
        case .swap: return Requirements.hasSwap ? nil : "no swap is on"
        case .cpus(let wanted):
            let online = sysconf(Int32(_SC_NPROCESSORS_ONLN))
            return online >= wanted ? nil : "needs \(wanted) CPUs, \(online) online"
        case .nodes(let wanted):
            let nodes = Requirements.nodes
            return nodes >= wanted ? nil : "needs \(wanted) NUMA nodes with memory, here: \(nodes)"
        case .kvm: return KVM.reasonUnusable
        case .root: return geteuid() == 0 ? nil : "needs root"
        case .ownMachine: return isOwnMachine ? nil : "breaks or changes the machine: runs as PID 1 of a VM only"
        }
    }

    private func reasonToSkip(_ kind: MemoryKind) -> String? {
        if kind.isHugetlb { return Requirements.hugetlbReason }
        if kind.isTHP {
            let file = kind.isAnonymous ? "enabled" : "shmem_enabled"
            return Requirements.hugePageReason(
                "/sys/kernel/mm/transparent_hugepage/\(file)",
                wanted: kind.isAnonymous ? "madvise" : "advise"
            )
        }
        return nil
    }

    private static var hugetlbReason: String? {
        guard let free = meminfo("HugePages_Free:") else { return "kernel lacks hugetlb (CONFIG_HUGETLBFS)" }
        let available = free - (meminfo("HugePages_Rsvd:") ?? 0)
        if available >= hugePages { return nil }
        let count = available == 0 ? "no" : "only \(available)"
        return "\(count) free huge pages, \(hugePages) needed: echo 64 > /proc/sys/vm/nr_hugepages"
    }

    private static var giganticPageReason: String? {
        let folder = "/sys/kernel/mm/hugepages/hugepages-\(Memory.giganticPageSize >> 10)kB"
        let free = (try? FileAccess.number(folder + "/free_hugepages")) ?? 0
        let reserved = (try? FileAccess.number(folder + "/resv_hugepages")) ?? 0
        return free > reserved ? nil : "no free huge page of 1 GiB: boot with hugepagesz=1G hugepages=1"
    }

    private static func hugePageReason(_ path: String, wanted: String) -> String? {
        guard let line = try? FileAccess.line(path) else {
            return "kernel lacks transparent huge pages (CONFIG_TRANSPARENT_HUGEPAGE)"
        }
        if !line.includes("[never]") && !line.includes("[deny]") { return nil }
        return "transparent huge pages are off: echo \(wanted) > \(path)"
    }

    /// A number of /proc/meminfo, in its own unit; nil where the kernel does not tell it.
    public static func meminfo(_ key: String) -> Int? {
        for line in (try? FileAccess.lines("/proc/meminfo")) ?? [] {
            let words = line.words
            if words.count >= 2, words[0].isSame(as: key) { return words[1].number }
        }
        return nil
    }

    private static var hasSwap: Bool {
        ((try? FileAccess.lines("/proc/swaps")) ?? []).count > 1
    }

    /// How many NUMA nodes have memory; 1 on a kernel without NUMA.
    public static var nodes: Int {
        guard let line = try? FileAccess.line("/sys/devices/system/node/has_memory") else { return 1 }
        return countOfList(line)
    }

    /// How many numbers a list of the kernel's has: "0-2,5" has 4.
    public static func countOfList(_ list: String) -> Int {
        var count = 0
        for part in list.parts(separatedBy: UInt8(ascii: ",")) {
            let ends = part.parts(separatedBy: UInt8(ascii: "-")).map { $0.number }
            guard let first = ends.first ?? nil, let last = ends.last ?? nil else { continue }
            count += last - first + 1
        }
        return count
    }

    private static func words(_ failure: Failure) -> String {
        if failure.errno == .noSystemCall { return "kernel lacks userfaultfd (CONFIG_USERFAULTFD)" }
        if failure.errno == .notPermitted {
            return "userfaultfd is not permitted: run as root, or set vm.unprivileged_userfaultfd to 1"
        }
        return failure.message
    }

    private static func probePagemapScan() -> Bool {
        do throws(Failure) {
            let memory = try Memory(.anon, pages: 1)
            let pagemap = try Pagemap()
            defer { pagemap.close() }
            _ = try pagemap.scan(memory.range, ScanQuery(report: [.present]))
            try memory.unmap()
            return true
        } catch {
            return false
        }
    }

    private static func probeSoftDirty() -> Bool {
        do throws(Failure) {
            let memory = try Memory(.anon, pages: 1)
            memory.store(0, 1)
            let isSoftDirty = try memory.entry(0).isSoftDirty
            try memory.unmap()
            return isSoftDirty
        } catch {
            return false
        }
    }
}

extension Features {
    /// The bits by their whole kernel names: "UFFD_FEATURE_RWP, UFFD_FEATURE_RWP_ASYNC".
    fileprivate var wholeNames: String {
        var text = ""
        for name in kernelNames {
            text += (text.utf8.isEmpty ? "" : ", ") + "UFFD_FEATURE_\(name)"
        }
        return text
    }
}
