// SPDX-License-Identifier: GPL-2.0-only

import Foundation
import SystemPackage

@testable import KernelLab

/// Results for tests of the reports.
enum SampleResults {
    /// A stream with every kind of result, and diagnostics that no format likes.
    static let stream = """
        KTAP version 1
        1..4
        # running api-negotiate
        # duration_ms: 12
        # rules: N1 N2
        # traps: 3
        ok 1 api-negotiate
        # running wp-sync-read.anon-thp
        #   \u{1B}[31mred\u{1B}[0m ]]> <script>alert(1)</script> & "quotes" \u{0}\u{7F}\u{85}\u{FFFF}\u{202E}
        #   second line
        # duration_ms: 1234
        # FAIL WriteProtect.swift:42: expected <16> traps & "saw" 15
        # FAIL WriteProtect.swift:50: data lost
        not ok 2 wp-sync-read.anon-thp
        # running rwp-async-read.shmem
        ok 3 rwp-async-read.shmem # SKIP kernel without UFFD_FEATURE_RWP
        # running wp-crash.hugetlb
        #   child died of SIGSEGV
        not ok 4 wp-crash.hugetlb
        # Totals: pass:1 fail:2 skip:1

        """.replacing("skip:1\n\n", with: "skip:1\n")

    static let context = ResultsContext(
        base: "v7.2",
        series: "v7.2 (3 patches)",
        machine: "x86_64",
        command: ["rwp", "test", "wp-*"]
    )

    /// A run that ended so, with its streams in `folder`.
    static func run(
        in folder: FilePath,
        stream: String = SampleResults.stream,
        end: MachineEnd = .finished
    ) throws -> MachineRun {
        var collector = SuiteCollector()
        _ = collector.receive(Array(stream.utf8))
        let (console, ktap) = (folder.appending("console.log"), folder.appending("ktap.txt"))
        try console.write("[    0.000000] Linux version 7.2.13-rwp\n")
        try ktap.write(stream)
        return MachineRun(
            suite: collector.finish(),
            end: end,
            accelerator: .tcg,
            qemuVersion: "7.2.22",
            qemuCommand: ["/usr/bin/qemu-system-x86_64", "-append", "console=ttyS0 panic=-1"],
            kernelCommandLine: "console=ttyS0 panic=-1 -- wp-*",
            kernelRelease: "7.2.13-rwp",
            consoleLog: console,
            ktapLog: ktap,
            lastConsoleLines: ["[    0.000000] Linux version 7.2.13-rwp", "\u{1B}[1mKernel panic\u{1B}[0m <&>"],
            notes: ["KVM gave no console byte in 20 s; using TCG"],
            started: Date(timeIntervalSince1970: 1_795_255_200.75),
            bootTime: .milliseconds(1432),
            totalTime: .milliseconds(61_250)
        )
    }

    static func results(
        in folder: FilePath,
        stream: String = SampleResults.stream,
        end: MachineEnd = .finished
    ) throws -> Results {
        Results(run: try run(in: folder, stream: stream, end: end), context: context)
    }
}
