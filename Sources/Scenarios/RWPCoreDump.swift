// SPDX-License-Identifier: GPL-2.0-only

import CUserfaultfd
import Userfaultfd

/// Core dumps of processes that have armed pages (core(5)). Nobody answers the traps of a process that dies, so the kernel
/// must get at the pages without: otherwise those that nobody has accessed are missing from the dump.
enum RWPCoreDump {
    static let scenarios: [Scenario] = [
        Scenario(
            "rwp-gup-core",
            "a core dump has what is in armed pages, and waits for nobody",
            rules: "F5 F3",
            on: MemoryKind.all,
            needs: Need.rwp + [.root, .ownMachine, .file(pattern, "CONFIG_COREDUMP")],
            traps: false,
            coreDump
        )
    ]

    private static let pattern: StaticString = "/proc/sys/kernel/core_pattern"
    /// All that a dump can have (core(5), "Controlling which mappings are written to the core dump").
    private static let everything = "0x7f"

    private static func coreDump(_ context: Context) throws(Failure) {
        let memory = try Memory(context.kind, chunks: 4)
        try memory.populate()
        let path = "/tmp/uffd-selftest-core-\(getpid())"
        try FileAccess.write(pattern.text, path)
        let child = try Child { () throws(Failure) in
            try checked("setrlimit", cuffd_set_limit(CUFFD_LIMIT_CORE, .max))
            try FileAccess.write("/proc/self/coredump_filter", everything)
            let uffd = try Userfaultfd(features: .readWriteProtect)
            // The child's entries may be missing after fork(2).
            try memory.check("in the child")
            try uffd.register(memory.range, .readWriteProtect)
            try uffd.readWriteProtect(memory.range)
            if let page = try memory.first(of: 0..<memory.pages, where: { !$0.isUffd }) {
                throw Failure("UFFDIO_RWPROTECT left page \(page) unarmed")
            }
            kill(getpid(), SIGABRT)
            throw Failure("SIGABRT did not end the process")
        }
        let end = try child.wait()
        // With core_uses_pid, which other machines set, the name would end in the process id.
        let name = FileAccess.exists(path) ? path : "\(path).\(child.identifier)"
        defer { unlink(name) }
        try context.expect(end == .killed(signal: SIGABRT), "the child did not get as far as to dump its core")
        let core = try CoreFile(name)
        for page in 0..<memory.pages {
            try context.expect(
                try core.has(memory.page(page)),
                "page \(page), which was armed, is not in the core dump as it was in memory"
            )
        }
    }
}

/// A core dump: an ELF file with a segment for each mapping (elf(5)).
private struct CoreFile {
    private let descriptor: Int32
    /// Where mappings begin, and where what was in them begins in the file, and how much of it is there.
    private var segments: [(memory: AddressRange, offset: UInt)] = []

    /// Reads the headers.
    init(_ path: String) throws(Failure) {
        descriptor = try checked("open of the core dump \(path)", cuffd_open(path, O_RDONLY, 0))
        var header = Elf64_Ehdr()
        try CoreFile.read(descriptor, into: &header, MemoryLayout<Elf64_Ehdr>.size, at: 0)
        for index in 0..<UInt(header.e_phnum) {
            var segment = Elf64_Phdr()
            let place = UInt(header.e_phoff) + index * UInt(header.e_phentsize)
            try CoreFile.read(descriptor, into: &segment, MemoryLayout<Elf64_Phdr>.size, at: place)
            guard segment.p_type == UInt32(PT_LOAD) else { continue }
            let memory = AddressRange(start: UInt(segment.p_vaddr), length: UInt(segment.p_filesz))
            segments.append((memory, UInt(segment.p_offset)))
        }
    }

    private static func read(
        _ descriptor: Int32,
        into buffer: UnsafeMutableRawPointer,
        _ count: Int,
        at offset: UInt
    ) throws(Failure) {
        if pread(descriptor, buffer, count, Int(offset)) != count {
            throw Failure("the core dump ends before offset \(offset + UInt(count))")
        }
    }

    /// Whether the dump has, at these addresses, what this process has there.
    func has(_ range: AddressRange) throws(Failure) -> Bool {
        guard let segment = segments.first(where: { $0.memory.start <= range.start && range.end <= $0.memory.end })
        else { return false }
        var words = [UInt64](repeating: 0, count: Int(range.length / 8))
        let offset = segment.offset + range.start - segment.memory.start
        try CoreFile.read(descriptor, into: &words, Int(range.length), at: offset)
        return words.indices.allSatisfy { words[$0] == cuffd_load64(range.start + UInt($0) * 8) }
    }
}
