// SPDX-License-Identifier: GPL-2.0-only

import Testing

@testable import KernelLab

@Suite struct BuildOutputTests {
    /// What each line of a build that compiles `files` files says about progress.
    private func shares(expected: Int, done: Int = 0, files: Int) -> [Double] {
        let shares = Collected<Double>()
        let sink = EventSink { event in
            if case .advanced(.compile, let done, let total?, "files") = event {
                shares.append(Double(done) / Double(total))
            }
        }
        let output = BuildOutput(expected: expected, done: done, events: sink)
        for file in 0..<files { output.take("  CC      mm/file\(file).o") }
        return shares.elements
    }

    @Test(arguments: [(100, 0), (10, 0), (1, 0), (0, 0), (100, 90)])
    func shareNeverFallsAndNeverReachesTheWhole(expected: Int, done: Int) {
        let shares = shares(expected: expected, done: done, files: 50)
        #expect(shares.count == 50)
        #expect(shares == shares.sorted())
        #expect(shares.allSatisfy { $0 < 1 || expected == 0 })
    }

    @Test func countsCompilersOnly() {
        let output = BuildOutput(expected: 10, done: 0, events: .discarding)
        for line in [
            "  CC      mm/memory.o", "  CC [M]  drivers/block/zram/zram_drv.o", "  AS      arch/x86/entry/entry.o",
            "  HOSTCC  scripts/kallsyms", "  AR      mm/built-in.a", "  LD      vmlinux", "make: Entering", "CC x", "",
        ] {
            output.take(line)
        }
        #expect(output.done == 4)
    }

    @Test func keepsTheLinesThatSayWhy() {
        let output = BuildOutput(expected: 1, done: 0, events: .discarding)
        output.take("  CC      mm/memory.o")
        output.take("../mm/memory.c:12:3: warning: unused variable ‘x’")
        output.take("../mm/memory.c:14:1: error: expected ‘;’ before ‘}’ token")
        output.take("make[3]: *** [../scripts/Makefile.build:289: mm/memory.o] Error 1")
        #expect(output.errors.count == 2)
        #expect(output.errors.first?.contains("memory.c:14") == true)
    }
}
