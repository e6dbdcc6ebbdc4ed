// SPDX-License-Identifier: GPL-2.0-only

import Foundation
import SystemPackage
import Testing

@testable import KernelLab

@Suite("Results")
struct ResultsTests {
    @Test("A folder has every report, and can be read back")
    func roundTrip() async throws {
        try await withTemporaryFolder { folder in
            var results = try SampleResults.results(in: folder.appending("run"))
            let target = folder.appending("results/one")
            try results.write(to: target)
            let names = try target.names()
            #expect(names == ["console.log", "index.html", "junit.xml", "ktap.txt", "results.json"])
            let (stream, console) = try (target.appending("ktap.txt").text(), target.appending("console.log").text())
            #expect(stream == SampleResults.stream && console == "[    0.000000] Linux version 7.2.13-rwp\n")
            let link = try FileManager.default.destinationOfSymbolicLink(
                atPath: folder.appending("results/latest").string
            )
            #expect(link == "one")
            let read = try Results(directory: folder.appending("results/latest"))
            results.streams = nil
            #expect(read == results)
        }
    }

    @Test("Results that were read back can be written again, elsewhere, without the streams")
    func writeAgain() async throws {
        try await withTemporaryFolder { folder in
            try SampleResults.results(in: folder.appending("run")).write(to: folder.appending("a"))
            try Results(directory: folder.appending("a")).write(to: folder.appending("b"))
            let (one, other) = try (
                folder.appending("a/index.html").text(), folder.appending("b/index.html").text()
            )
            #expect(one == other)
        }
    }

    @Test("The machine may have run in the folder itself")
    func inPlace() async throws {
        try await withTemporaryFolder { folder in
            let target = try ResultsFolder.make(in: folder)
            try SampleResults.results(in: target).write(to: target)
            let stream = try target.appending("ktap.txt").text()
            #expect(stream == SampleResults.stream)
        }
    }

    @Test("Folders are named after the time in UTC, and no two runs share one")
    func folders() async throws {
        try await withTemporaryFolder { folder in
            let date = Date(timeIntervalSince1970: 1_795_255_200)
            let names = try (0..<3).map { _ in
                try ResultsFolder.make(in: folder.appending("results"), at: date).lastComponent?.string
            }
            #expect(names == ["2026-11-21T10-00-00Z", "2026-11-21T10-00-00Z-2", "2026-11-21T10-00-00Z-3"])
        }
    }

    @Test(
        "The exit status says the worst that happened",
        arguments: [
            ("KTAP version 1\n1..1\nok 1 a\n", MachineEnd.finished, KernelLab.ExitStatus.passed),
            ("KTAP version 1\n1..1\nok 1 a # SKIP no\n", .finished, .passed),
            ("KTAP version 1\n1..1\nnot ok 1 a\n", .finished, .scenarioFailed),
            ("KTAP version 1\n1..2\nnot ok 1 a\n", .finished, .machineDied),
            ("KTAP version 1\n1..2\nok 1 a\nBail out! no swap\n", .finished, .machineDied),
            ("KTAP version 1\n1..1\nok 1 a\nnoise\n", .finished, .machineDied),
            ("KTAP version 1\n1..1\nok 1 a\n", .hung(.powerOff, afterSeconds: 30), .machineDied),
        ]
    )
    func exitStatus(_ stream: String, _ end: MachineEnd, _ status: KernelLab.ExitStatus) async throws {
        try await withTemporaryFolder { folder in
            let results = try SampleResults.results(in: folder, stream: stream, end: end)
            #expect(results.exitStatus == status)
            #expect(results.troubles.isEmpty == (status != .machineDied))
        }
    }

    @Test("Every end of a machine survives JSON")
    func ends() async throws {
        let ends: [MachineEnd] = [
            .finished, .panicked(reason: "x", running: nil), .panicked(reason: "", running: "a"),
            .hung(.boot, afterSeconds: 1), .hung(.scenarios(running: nil), afterSeconds: 2),
            .hung(.scenarios(running: "a"), afterSeconds: 2), .hung(.powerOff, afterSeconds: 3),
            .endedEarly(running: "b"), .qemuDied(how: "exited with status 1", messages: ["m"], running: nil),
        ]
        let data = try JSONEncoder().encode(ends)
        #expect(try JSONDecoder().decode([MachineEnd].self, from: data) == ends)
        #expect(Set(ends.map(\.description)).count == ends.count)
    }
}

@Suite("Results: bad folders")
struct ResultsErrorTests {
    private func error(json: String?) async throws -> ResultsError? {
        try await withTemporaryFolder { folder in
            if let json { try folder.appending("results.json").write(json) }
            return #expect(throws: ResultsError.self) { try Results(directory: folder) }
        }
    }

    @Test("A missing, corrupt or newer results.json is named, with status 2")
    func bad() async throws {
        let cases: [(String?, String)] = [
            (nil, "No such file or directory"), ("", "is corrupt: it is not JSON"), ("{", "is corrupt: it is not JSON"),
            ("[]", "is corrupt"), ("{}", "it has no “schema”"), (#"{"schema": 1}"#, "it has no “"),
            (#"{"schema": "one"}"#, "“schema” has a value of the wrong type"),
            (#"{"schema": 2}"#, "has layout 2, and this rwp reads 1"),
        ]
        for (json, message) in cases {
            let error = try #require(try await error(json: json))
            #expect(error.exitStatus == .usage)
            #expect(error.description.contains("results.json") && error.description.contains(message), "\(error)")
        }
    }

    @Test("A results.json that was cut anywhere is never taken for whole")
    func truncated() async throws {
        try await withTemporaryFolder { folder in
            try SampleResults.results(in: folder.appending("run")).write(to: folder.appending("a"))
            let text = try folder.appending("a/results.json").text()
            for length in stride(from: 0, to: text.utf8.count - 1, by: 97) {
                try folder.appending("b/results.json").write(String(text.utf8.prefix(length)) ?? "")
                #expect(throws: ResultsError.self) { try Results(directory: folder.appending("b")) }
            }
        }
    }

    @Test("A full disk is said so, with status 3, and leaves neither half a file nor a link to the folder")
    func full() async throws {
        try await withTemporaryFolder { folder in
            let results = try SampleResults.results(in: folder.appending("run"))
            let target = folder.appending("results/a")
            try FileManager.default.createDirectory(atPath: target.string, withIntermediateDirectories: true)
            // The file that becomes junit.xml is a device that is always full (full(4)).
            try FileManager.default.createSymbolicLink(
                atPath: target.appending(".junit.xml.\(getpid())").string,
                withDestinationPath: "/dev/full"
            )
            let error = #expect(throws: ResultsError.self) { try results.write(to: target) }
            #expect(error == .unwritable(file: target.appending("junit.xml"), error: .noSpace))
            #expect(error?.exitStatus == .environment)
            #expect(error?.description.contains("free some space") == true)
            #expect(try target.names() == ["console.log", "ktap.txt"])
            #expect(!folder.appending("results/latest").exists)
        }
    }

    @Test("A folder that cannot be made is named")
    func noFolder() async throws {
        try await withTemporaryFolder { folder in
            try folder.appending("file").write("")
            let results = try SampleResults.results(in: folder.appending("run"))
            let error = #expect(throws: ResultsError.self) { try results.write(to: folder.appending("file/a")) }
            #expect(error?.exitStatus == .environment && error?.description.contains("file/a") == true)
            #expect(throws: ResultsError.self) { try ResultsFolder.make(in: folder.appending("file")) }
        }
    }
}
