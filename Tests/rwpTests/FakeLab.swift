// SPDX-License-Identifier: GPL-2.0-only

import Foundation
import Glibc

/// A project, a kernel and every slow program in small, so that the real `rwp` does a whole `rwp test` in a second and
/// can be stopped in each phase.
///
/// Programs that hang start a child first, say that they hang through a FIFO, and are known by a variable in their
/// environment (proc_pid_environ(5)).
final class FakeLab {
    /// The folder of everything.
    let folder: URL
    private let mark = "RWP_TEST_MARK=" + UUID().uuidString
    /// Both ends of the FIFO, so that opening it does not wait.
    private let fifo: Int32

    /// The programs in front of PATH. `hang PHASE` waits for ever where the test asked for that.
    private static let programs = [
        "curl": """
        hang fetch
        while [ "$1" != --output ]; do shift; done
        cp "$LAB/linux.tar.xz" "$2"
        """,
        "gpgv": "cat > /dev/null",
        "tar": "case $* in *--extract*) hang unpack;; esac; exec /bin/tar \"$@\"",
        "git": "case \" $* \" in *' am '*) hang patch;; esac; exec /usr/bin/git \"$@\"",
        "make": """
        case $* in *allnoconfig*) hang configure;; *bzImage*) hang compile;; esac
        exec /usr/bin/make "$@"
        """,
        "swift": """
        if [ "$1" = --version ]; then echo 'Swift version 6.3'; exit; fi
        hang guest
        while [ "$1" != --scratch-path ]; do shift; done
        mkdir -p "$2/release"
        cp "$LAB/guest" "$2/release/uffd-selftest"
        chmod 755 "$2/release/uffd-selftest"
        """,
        "qemu-system-x86_64": """
        if [ "$1" = --version ]; then echo "QEMU emulator version ${QEMU_VERSION-7.2.22}"; exit; fi
        console=$(printf '%s\\n' "$@" | sed -n 's/^file,id=console,path=//p')
        ktap=$(printf '%s\\n' "$@" | sed -n 's/^file,id=ktap,path=//p')
        exec 3>"$console" 4>"$ktap"
        echo 'Linux version 7.2.13-rwp (gcc)' >&3
        hang boot
        printf 'KTAP version 1\\n1..1\\n# running a.anon\\n' >&4
        hang scenarios
        [ -z "$QEMU_DIES" ] || kill -KILL $$
        printf 'ok 1 a.anon\\n# Totals: pass:1 fail:0 skip:0\\n' >&4
        """,
        "flex": "", "bison": "", "bc": "", "perl": "",
    ]

    private static let makefile = """
        VERSION = 7
        PATCHLEVEL = 2
        SUBLEVEL = 13
        EXTRAVERSION =
        allnoconfig:
        \tmkdir -p $(O)/include/config $(O)/arch/x86/boot $(O)/usr
        \tcp $(KCONFIG_ALLCONFIG) $(O)/.config
        \techo 7.2.13 > $(O)/include/config/kernel.release
        olddefconfig:
        bzImage:
        \ttouch $(O)/System.map $(O)/vmlinux
        \tcp scripts/gen_init_cpio $(O)/usr/gen_init_cpio
        \techo image > $(O)/arch/x86/boot/bzImage
        .PHONY: allnoconfig olddefconfig bzImage

        """

    /// Makes everything in a temporary folder, which `remove` removes.
    init() throws {
        folder = FileManager.default.temporaryDirectory.resolvingSymlinksInPath()
            .appendingPathComponent("rwp-" + UUID().uuidString)
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        let path = folder.appendingPathComponent("fifo").path
        mkfifo(path, 0o600)
        fifo = open(path, O_RDWR | O_CLOEXEC)
        for (name, body) in Self.programs { try write("bin/\(name)", Self.script(body), executable: true) }
        try makeProject()
        try makeKernel()
    }

    /// Ends what a failed test left, and removes the folder.
    func remove() {
        for process in processes { kill(process, SIGKILL) }
        close(fifo)
        try? FileManager.default.removeItem(at: folder)
    }

    /// Writes a file below the folder.
    func write(_ name: String, _ text: String, executable: Bool = false) throws {
        let file = folder.appendingPathComponent(name)
        try FileManager.default.createDirectory(
            at: file.deletingLastPathComponent(),
            withIntermediateDirectories: true
        )
        try Data(text.utf8).write(to: file)
        let mode = executable ? 0o755 : 0o644
        try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: file.path)
    }

    /// The folder of the fake kernel's source.
    var tree: String { folder.appendingPathComponent("linux").path }

    /// The machine's description as it is shipped.
    static func machine() throws -> String {
        let file = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .appendingPathComponent("../../qemu-images/machines/x86_64.toml").standardized
        return try String(contentsOf: file, encoding: .utf8)
    }

    private func makeProject() throws {
        try write("project/Package.swift", "")
        // A guest that answers for an unknown scenario as the real one does.
        try write("guest", "#!/bin/sh\necho \"uffd-selftest: $2 is unknown; the nearest is wp-fork\" >&2\nexit 2\n")
        for target in ["CUserfaultfd", "Userfaultfd", "Scenarios", "uffd-selftest"] {
            try write("project/Sources/\(target)/file.swift", "")
        }
        for name in ["common", "x86_64"] { try write("project/qemu-images/kernel/\(name).config", "CONFIG_KEPT=y\n") }
        try write("project/qemu-images/machines/x86_64.toml", Self.machine())
        try write("project/kernel-patches/v7.2/0001-mm-change.patch", Self.patch(of: "line 15"))
    }

    private func makeKernel() throws {
        try write("linux/Makefile", Self.makefile)
        try write("linux/Kconfig", "config KEPT\n\tbool\n")
        try write("linux/scripts/gen_init_cpio", Self.script("hang initramfs\necho archive"), executable: true)
        try write("linux/mm/memory.c", (1...30).map { "line \($0)\n" }.joined())
        let tar = Process()
        tar.executableURL = URL(fileURLWithPath: "/bin/tar")
        tar.arguments = ["-cJf", "linux.tar.xz", "linux"]
        tar.currentDirectoryURL = folder
        try tar.run()
        tar.waitUntilExit()
    }

    /// A patch that changes what it takes to be line 15 of mm/memory.c.
    static func patch(of old: String) -> String {
        """
        From 0000000000000000000000000000000000000000 Mon Sep 17 00:00:00 2001
        From: A Hacker <hacker@example.org>
        Date: Thu, 1 Oct 2026 12:00:00 +0000
        Subject: [PATCH] mm: change a line

        ---
         mm/memory.c | 2 +-

        diff --git a/mm/memory.c b/mm/memory.c
        --- a/mm/memory.c
        +++ b/mm/memory.c
        @@ -14,3 +14,3 @@
         line 14
        -\(old)
        +changed
         line 16
        --\u{20}
        2.39.5

        """
    }

    private static func script(_ body: String) -> String {
        """
        #!/bin/sh
        hang() {
            case " $HANG " in *" $1 "*) ;; *) return 0;; esac
            case " $STUBBORN " in *" $1 "*) ignored='TERM INT';; *) ignored=;; esac
            sh -c 'for signal in $3; do trap "" "$signal"; done; echo "$2" > "$1"; exec sleep 1000' \
                sh "$LAB/fifo" "$1" "$ignored" &
            wait
        }
        \(body)
        """
    }
}

// MARK: - Running

extension FakeLab {
    /// Runs the real program to its end among the fakes.
    ///
    /// - Parameters:
    ///   - hanging: The phases whose programs hang.
    ///   - environment: What is changed in the environment of all programs.
    func run(
        _ arguments: [String],
        hanging: [String] = [],
        environment: [String: String] = [:],
        whileRunning: (pid_t) throws -> Void = { _ in }
    ) throws -> Rwp.Result {
        let path = ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin"
        let name = mark.split(separator: "=")
        let ours = [
            "LAB": folder.path, "HANG": hanging.joined(separator: " "), String(name[0]): String(name[1]),
            "PATH": folder.appendingPathComponent("bin").path + ":" + path,
            "RWP_ROOT": folder.appendingPathComponent("project").path,
            "RWP_CACHE": folder.appendingPathComponent("cache").path,
        ]
        return try Rwp.run(
            arguments,
            environment: ours.merging(environment) { $1 },
            in: folder.path,
            whileRunning: whileRunning
        )
    }

    /// Waits until the program of `phase` hangs; false where `process` ended before.
    func waits(in phase: String, of process: pid_t) -> Bool {
        var text = ""
        while !text.contains(phase + "\n") {
            var ready = pollfd(fd: fifo, events: Int16(POLLIN), revents: 0)
            if poll(&ready, 1, 200) > 0 {
                var bytes = [UInt8](repeating: 0, count: 256)
                let count = Glibc.read(fifo, &bytes, bytes.count)
                text += String(decoding: bytes.prefix(max(0, count)), as: UTF8.self)
            } else if !Self.isRunning(process) {
                return false
            }
        }
        return true
    }

    /// The processes that run and descend from a run of ours.
    var processes: [pid_t] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
        return names.compactMap { pid_t($0) }.filter { process in
            guard let data = FileManager.default.contents(atPath: "/proc/\(process)/environ") else { return false }
            return String(decoding: data, as: UTF8.self).contains(mark) && Self.isRunning(process)
        }
    }

    /// Whether a process is there and no zombie (proc_pid_stat(5)).
    static func isRunning(_ process: pid_t) -> Bool {
        guard let stat = try? String(contentsOfFile: "/proc/\(process)/stat", encoding: .utf8),
            let end = stat.lastIndex(of: ")")
        else { return false }
        return !["Z", "X"].contains(stat[end...].dropFirst(2).prefix(1))
    }
}
