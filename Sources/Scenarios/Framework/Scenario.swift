// SPDX-License-Identifier: GPL-2.0-only

import Userfaultfd

/// A scenario: one promise of the kernel's, and the function that drives it.
///
/// The function runs in a process of its own, under a watchdog, once for every memory kind. It returns when the promise
/// held, and throws a `Failure` when it did not.
public struct Scenario: Sendable {
    /// `subject-point`, in lower case: "wp-fork".
    public let name: StaticString
    /// What it proves, in one line, for `--list`.
    public let summary: StaticString
    /// The contract's rules that it covers, separated by spaces ("F1 L3"); empty for what is older than the contract.
    public let rules: StaticString
    /// The kinds of memory that it runs on; empty for a scenario without memory of a kind.
    public let kinds: [MemoryKind]
    /// What it needs of the machine and kernel; what is not there makes it a skip with that reason.
    public let needs: [Need]
    /// Whether it counts only when a trap was seen: `Context.sawTrap()` must be called at least once.
    public let traps: Bool
    /// The watchdog's limit in seconds, on an idle machine with two emulated CPUs.
    public let seconds: Int
    /// What it does.
    public let body: @Sendable (Context) throws(Failure) -> Void

    /// Describes a scenario.
    public init(
        _ name: StaticString,
        _ summary: StaticString,
        rules: StaticString = "",
        on kinds: [MemoryKind] = [],
        needs: [Need] = [],
        traps: Bool = true,
        seconds: Int = 30,
        _ body: @escaping @Sendable (Context) throws(Failure) -> Void
    ) {
        self.name = name
        self.summary = summary
        self.rules = rules
        self.kinds = kinds
        self.needs = needs
        self.traps = traps
        self.seconds = seconds
        self.body = body
    }

    /// Whether it tests what runs scenarios, by doing one thing wrong: it runs only when it is named, and needs no
    /// userfaultfd.
    public var isHarness: Bool { name.text.begins(with: Scenario.harnessPrefix) }

    static let harnessPrefix = "harness-"

    /// Whether it is load for as long as asked: it runs only when it is named, or `--stress` says how long.
    public var isStress: Bool { name.text.begins(with: Scenario.stressPrefix) }

    static let stressPrefix = "stress-"

    /// What the names of benchmarks begin with. They print figures and assert no times, and run only when named.
    static let benchPrefix = "bench-"
}

/// What a scenario needs beyond a kernel with userfaultfd.
public enum Need: Sendable {
    /// All of these feature bits in the answer to `UFFDIO_API`.
    case features(Features)
    /// None of these feature bits: for what is refused where RWP does not exist.
    case without(Features)
    /// A file of /proc, /sys or /dev that shows an option of the kernel; the second string names the option.
    case file(StaticString, StaticString)
    /// The PAGEMAP_SCAN ioctl (6.7).
    case pagemapScan
    /// Soft-dirty tracking (CONFIG_MEM_SOFT_DIRTY).
    case softDirty
    /// A free huge page of 1 GiB.
    case giganticPage
    /// Swap space that is on.
    case swap
    /// So many CPUs online.
    case cpus(Int)
    /// So many NUMA nodes with memory.
    case nodes(Int)
    /// KVM, and a CPU that it can run virtual ones on.
    case kvm
    /// Capabilities of root.
    case root
    /// A machine of the suite's own: it changes the whole machine in ways that people would mind.
    case ownMachine

    /// The need in words, for `--list`.
    public var words: String {
        switch self {
        case .features(let features): "features \(features.description)"
        case .without(let features): "no feature \(features.description)"
        case .file(let path, let option): "\(path) (\(option))"
        case .pagemapScan: "PAGEMAP_SCAN"
        case .softDirty: "soft-dirty"
        case .giganticPage: "a huge page of 1 GiB"
        case .swap: "swap"
        case .cpus(let count): "\(count) CPUs"
        case .nodes(let count): "\(count) NUMA nodes"
        case .kvm: "KVM"
        case .root: "root"
        case .ownMachine: "a machine of its own"
        }
    }
}
