// SPDX-License-Identifier: GPL-2.0-only

import SystemPackage
import Testing

@testable import KernelLab

@Suite struct CompilerWarningTests {
    private func warning(_ line: String, checked: Bool = false) throws -> CompilerWarning {
        try #require(CompilerWarning(parsing: line, checked: checked))
    }

    @Test func readsTheCompilers() throws {
        let warning = try warning("../mm/memory.c:12:7: warning: unused variable 'x' [-Wunused-variable]")
        #expect(warning.file == "mm/memory.c" && warning.line == 12 && warning.tool == .compiler)
        #expect(warning.text == "unused variable 'x' [-Wunused-variable]")
        #expect(warning.description == "mm/memory.c:12: unused variable 'x' [-Wunused-variable]")
    }

    @Test func tellsSparseFromTheCompiler() throws {
        let line = "../mm/memory.c:12:7: warning: context imbalance in 'f' - wrong count at exit"
        #expect(try warning(line, checked: true).tool == .sparse)
        #expect(try warning(line + " [-Wx]", checked: true).tool == .compiler)
    }

    @Test func readsWhatHasNoLine() throws {
        let objtool = try warning("mm/built-in.a: warning: objtool: f()+0x1a: unreachable instruction")
        #expect(objtool.tool == .build && objtool.text == "objtool: f(): unreachable instruction")
        #expect(try warning("WARNING: modpost: vmlinux: section mismatch").file == "modpost")
        #expect(CompilerWarning(parsing: "  CC      mm/memory.o", checked: false) == nil)
        #expect(CompilerWarning(parsing: "mm/memory.c:1:2: error: no", checked: false) == nil)
    }

    @Test func linesThatMoveAreNotNew() throws {
        let base = try [warning("a.c:10:1: warning: one"), warning("b.h:3:1: warning: two")]
        let moved = try [warning("a.c:90:1: warning: one"), warning("b.h:4:1: warning: two")]
        #expect(moved.new(since: base).isEmpty)
    }

    @Test func oneMoreOfAKindIsNew() throws {
        let base = try [warning("a.c:10:1: warning: one")]
        let more = try [warning("a.c:10:1: warning: one"), warning("a.c:20:1: warning: one")]
        #expect(more.new(since: base).map(\.line) == [20])
        // A header says it once for each file that reads it.
        #expect((base + base).new(since: base).isEmpty)
    }

    @Test func incrementalBuildsKeepTheWarningsOfWhatTheyDoNotMake() async throws {
        try await withTemporaryFolder { folder in
            let first = WarningLog(of: folder, checked: false)
            for line in [
                "  CC      mm/a.o", "../mm/a.c:1:1: warning: one", "  CC [M]  mm/b.o", "../mm/b.c:1:1: warning: two",
            ] { first.take(line) }
            try first.save()
            let second = WarningLog(of: folder, checked: false)
            second.take("  CC      mm/a.o")
            second.take("mm/a.c:3:1: error: three")
            #expect(second.warnings.map(\.file) == ["mm/b.c"])
            #expect(second.errors == ["mm/a.c:3:1: error: three"])
        }
    }
}
