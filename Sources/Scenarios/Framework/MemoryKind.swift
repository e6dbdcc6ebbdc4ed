// SPDX-License-Identifier: GPL-2.0-only

/// The kinds of memory that scenarios run on.
public enum MemoryKind: Int, Sendable, CaseIterable {
    /// Private anonymous memory in base pages; huge pages are refused (MADV_NOHUGEPAGE).
    case anon
    /// Private anonymous memory in PMD-mapped huge pages.
    case anonTHP
    /// A shared mapping of a memfd, in base pages.
    case shmem
    /// A private mapping of a memfd, in base pages.
    case shmemPrivate
    /// A shared mapping of a memfd, in PMD-mapped huge pages.
    case shmemTHP
    /// A shared mapping of a hugetlb memfd.
    case hugetlb
    /// A private mapping of a hugetlb memfd.
    case hugetlbPrivate

    /// The name in KTAP lines and on command lines, "shmem-private".
    public var name: String {
        switch self {
        case .anon: "anon"
        case .anonTHP: "anon-thp"
        case .shmem: "shmem"
        case .shmemPrivate: "shmem-private"
        case .shmemTHP: "shmem-thp"
        case .hugetlb: "hugetlb"
        case .hugetlbPrivate: "hugetlb-private"
        }
    }

    /// Anonymous memory: no file behind it.
    public var isAnonymous: Bool { self == .anon || self == .anonTHP }
    /// A mapping of a memfd on shmem.
    public var isShmem: Bool { self == .shmem || self == .shmemPrivate || self == .shmemTHP }
    /// hugetlb memory, whose page is the huge page.
    public var isHugetlb: Bool { self == .hugetlb || self == .hugetlbPrivate }
    /// Writes of one process are seen by all that map it.
    public var isShared: Bool { self == .shmem || self == .shmemTHP || self == .hugetlb }
    /// Memory in transparent huge pages.
    public var isTHP: Bool { self == .anonTHP || self == .shmemTHP }

    /// The kinds with base pages.
    public static let base: [MemoryKind] = [.anon, .shmem, .shmemPrivate]
    /// The kinds that can be swapped out.
    public static let swappable: [MemoryKind] = [.anon, .anonTHP, .shmem, .shmemPrivate, .shmemTHP]
    /// The kinds without a file.
    public static let anonymous: [MemoryKind] = [.anon, .anonTHP]
    /// The kinds with a file.
    public static let files: [MemoryKind] = [.shmem, .shmemPrivate, .shmemTHP, .hugetlb, .hugetlbPrivate]
    /// The kinds whose page faults on existing file pages MINOR mode can catch.
    public static let shared: [MemoryKind] = [.shmem, .shmemTHP, .hugetlb]
    /// Every kind but hugetlb.
    public static let withoutHugetlb: [MemoryKind] = swappable
    /// Every kind.
    public static let all: [MemoryKind] = allCases
}
