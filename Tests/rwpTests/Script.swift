// SPDX-License-Identifier: GPL-2.0-only

import KernelLab
import Synchronization

@testable import rwp

/// A buffer that an `Output` writes to.
final class Transcript: Sendable {
    private let buffer = Mutex("")

    var text: String { buffer.withLock { $0 } }
    var lines: [String] { text.split(separator: "\n", omittingEmptySubsequences: false).dropLast().map(String.init) }
    var output: Output {
        Output { [self] text in buffer.withLock { $0 += text } }
    }
}

/// Events with the second at which each comes.
typealias Script = [(seconds: Double, event: LabEvent)]

extension EventReader {
    /// Plays a script, with a tick after each event, as if the clock had run.
    mutating func play(_ script: Script, from start: Instant) {
        for (seconds, event) in script {
            let now = start + .milliseconds(Int(seconds * 1000))
            receive(event, at: now)
            tick(at: now)
        }
    }
}

enum Scripts {
    /// A run that compiles, boots, and has one failure.
    static let oneFailure: Script = [
        (0, .started(.fetch, detail: "linux-source-7.2 7.2.13-1")),
        (1, .finished(.fetch, detail: "cached")),
        (1, .started(.compile, detail: "2,650 files expected")),
        (5, .advanced(.compile, done: 100, total: 2650, unit: "files")),
        (30, .advanced(.compile, done: 700, total: 2650, unit: "files")),
        (31, .advanced(.compile, done: 720, total: 2650, unit: "files")),
        (200, .finished(.compile, detail: "2,650 files")),
        (200, .started(.scenarios, detail: "all, once")),
        (201, .ktap(.version(1))),
        (201, .ktap(.plan(4))),
        (201, .ktap(.running(name: "wp-sync.anon"))),
        (202, .ktap(.diagnostic("duration_ms: 800"))),
        (202, .ktap(.result(number: 1, name: "wp-sync.anon", verdict: .passed, reason: nil))),
        (202, .ktap(.running(name: "wp-sync.shmem"))),
        (203, .ktap(.diagnostic("FAIL WPSync.swift:42: got 0x0, expected 0x4"))),
        (203, .ktap(.result(number: 2, name: "wp-sync.shmem", verdict: .failed, reason: nil))),
        (203, .ktap(.running(name: "rwp-async-read.anon"))),
        (203, .ktap(.result(number: 3, name: "rwp-async-read.anon", verdict: .skipped, reason: "no RWP"))),
        (203, .ktap(.running(name: "rwp-async-read.shmem"))),
    ]
}
