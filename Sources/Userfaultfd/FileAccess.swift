// SPDX-License-Identifier: GPL-2.0-only

import CUserfaultfd

/// Small files of /proc, /sys and the like, whole.
public enum FileAccess {
    /// Whether something of that name is there.
    public static func exists(_ path: String) -> Bool {
        access(path, F_OK) == 0
    }

    /// The bytes of a file, up to `limit` of them.
    @inline(never)
    public static func read(_ path: String, limit: Int = 1 << 20) throws(Failure) -> [UInt8] {
        let descriptor = try checked("open of \(path)", cuffd_open(path, O_RDONLY, 0))
        defer { CUserfaultfd.close(descriptor) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 4096)
        while bytes.count < limit {
            let count = CUserfaultfd.read(descriptor, &chunk, min(chunk.count, limit - bytes.count))
            if count == 0 { break }
            if count < 0 {
                if cuffd_errno() == EINTR { continue }
                throw Failure(call: "read of \(path)", code: cuffd_errno())
            }
            bytes.append(contentsOf: chunk[0..<count])
        }
        return bytes
    }

    /// The lines of a file without their ends.
    @inline(never)
    public static func lines(_ path: String) throws(Failure) -> [String] {
        try read(path).split(separator: 0x0A, omittingEmptySubsequences: true).map {
            String(decoding: $0, as: UTF8.self)
        }
    }

    /// The first line of a file without its end; empty for an empty file.
    @inline(never)
    public static func line(_ path: String) throws(Failure) -> String {
        try lines(path).first ?? ""
    }

    /// The decimal number that a file begins with.
    @inline(never)
    public static func number(_ path: String) throws(Failure) -> Int {
        let text = try line(path)
        guard let number = text.words.first?.number else {
            throw Failure("\(path) has no number: \(text)")
        }
        return number
    }

    /// The names in a directory but those that begin with a dot; none where it cannot be read.
    @inline(never)
    public static func names(in path: String) -> [String] {
        guard let directory = opendir(path) else { return [] }
        defer { closedir(directory) }
        var names: [String] = []
        while let name = cuffd_next_name(directory) {
            let text = String(cString: name)
            if !text.begins(with: ".") { names.append(text) }
        }
        return names
    }

    /// The numbers that follow `prefix` in names of a directory: of processes in /proc, of nodes in
    /// /sys/devices/system/node.
    @inline(never)
    public static func numbers(in path: String, prefix: String = "") -> [Int] {
        names(in: path).compactMap { $0.rest(after: prefix)?.number }
    }

    /// Writes a text in one write(2), as /proc and /sys want it.
    @inline(never)
    public static func write(_ path: String, _ text: String) throws(Failure) {
        let descriptor = try checked("open of \(path)", cuffd_open(path, O_WRONLY, 0))
        defer { CUserfaultfd.close(descriptor) }
        let bytes = Array(text.utf8)
        let count = CUserfaultfd.write(descriptor, bytes, bytes.count)
        if count != bytes.count {
            throw Failure(call: "write of '\(text)' to \(path)", code: cuffd_errno())
        }
    }
}
