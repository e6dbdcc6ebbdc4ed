// SPDX-License-Identifier: GPL-2.0-only

import Foundation
import SystemPackage

@testable import KernelLab

/// A kernel tree with a collection of selftests, "demo", that real make and gcc can build.
enum FakeSelftests {
    /// Each ends in a way of its own.
    static let programs = [
        "pass": #"puts("TAP version 13\n1..2\nok 1 one\nok 2 two"); return EXIT;"#,
        "fail": #"puts("TAP version 13\n1..2\nok 1 one\nnot ok 2 two"); return 1;"#,
        "skip": #"puts("TAP version 13\n1..0 # SKIP not today"); return 4;"#,
        "crash": #"puts("1..2\nok 1 one"); fflush(stdout); raise(SIGSEGV); return 0;"#,
        "hang": #"puts("1..2\nok 1 one"); fflush(stdout); for (;;) pause();"#,
        "words": #"for (int i = 1; i < argc; i++) printf("ok %d %s\n", i, argv[i]); return 0;"#,
    ]

    /// Writes the tree into `folder`.
    static func write(to folder: FilePath) throws {
        try FakeTree.write(to: folder)
        let makefile = try folder.appending("Makefile").text()
        try folder.appending("Makefile").write(
            makefile + "headers:\n\tmkdir -p $(O)/usr/include\n\techo '#define EXIT 0' > $(O)/usr/include/exit.h\n"
        )
        let tests = folder.pushing("tools/testing/selftests")
        try tests.appending("lib.mk").write(
            """
            $(OUTPUT)/%: %.c
            \t@echo probed > local_config.h
            \tgcc $(KHDR_INCLUDES) $(USERLDFLAGS) $< -o $@

            """
        )
        try tests.pushing("demo/Makefile").write(
            """
            TEST_GEN_PROGS := pass fail \\
            \tskip crash # not this
            TEST_GEN_FILES += hang words $(MORE) gone
            TEST_PROGS = script.sh
            include ../lib.mk

            """
        )
        try tests.pushing("demo/settings").write("# for all\ntimeout=2\n")
        try tests.pushing("demo/script.sh").write("#!/bin/sh\n")
        for (name, body) in programs {
            let includes = ["exit", "signal", "stdio", "unistd"].map { "#include <\($0).h>\n" }.joined()
            try tests.appending("demo").appending("\(name).c").write(
                includes + "int main(int argc, char **argv)\n{\n\t\(body)\n}\n"
            )
        }
    }
}
