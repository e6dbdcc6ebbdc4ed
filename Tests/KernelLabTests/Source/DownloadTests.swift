// SPDX-License-Identifier: GPL-2.0-only

import Foundation
import SystemPackage
import Testing

@testable import KernelLab

@Suite struct DownloadTests {
    private let data = Data((0..<200_000).map { UInt8(truncatingIfNeeded: $0 &* 31 >> 3) })

    /// Runs `body` with a server that has "/f", and the download of it into an empty folder.
    private func withDownload(_ body: (ArchiveServer, Download) async throws -> Void) async throws {
        let server = ArchiveServer()
        server.serve("/f", data)
        try await server.run { url in
            try await withTemporaryFolder { folder in
                try await body(server, Download(url: url + "/f", path: folder.appending("f")))
            }
        }
    }

    private func content(_ download: Download) throws -> Data {
        try Data(contentsOf: URL(fileURLWithPath: download.path.string))
    }

    /// Leaves behind what a killed run does: a part, and the headers of the response that it is of.
    private func leavePart(of download: Download, _ part: Data, tag: String) throws {
        try part.write(to: URL(fileURLWithPath: download.path.string + ".part"))
        try FilePath(download.path.string + ".part.headers").write("HTTP/1.1 200 OK\r\nETag: \(tag)\r\n\r\n")
    }

    @Test func fetchesAFile() async throws {
        try await withDownload { server, download in
            try await download.fetch(events: .discarding)
            #expect(try content(download) == data)
            #expect(try download.path.removingLastComponent().names() == ["f"])
            try await download.fetch(events: .discarding)
            #expect(server.requests.count == 1)
        }
    }

    @Test func resumesWhereAKilledRunStopped() async throws {
        try await withDownload { server, download in
            try leavePart(of: download, data.prefix(150_000), tag: "\"1\"")
            try await download.fetch(events: .discarding)
            #expect(try content(download) == data)
            #expect(server.requests == [.init(path: "/f", range: "bytes=150000-")])
            #expect(try download.path.removingLastComponent().names() == ["f"])
        }
    }

    @Test func resumesAfterTheConnectionIsCut() async throws {
        try await withDownload { server, download in
            server.behave("/f", .cut(after: 70_000))
            let notes = Notes()
            try await download.fetch(events: notes.sink)
            #expect(try content(download) == data)
            #expect(server.requests.map(\.range) == [nil, "bytes=70000-"])
            #expect(notes.all.contains { $0.contains("resuming") })
        }
    }

    @Test func startsAnewWhenTheFileHasChanged() async throws {
        try await withDownload { server, download in
            try leavePart(of: download, Data(repeating: 0, count: 1000), tag: "\"0\"")
            try await download.fetch(events: .discarding)
            #expect(try content(download) == data)
            #expect(server.requests.map(\.range) == ["bytes=1000-", nil])
        }
    }

    @Test func startsAnewWhenTheServerIgnoresRanges() async throws {
        try await withDownload { server, download in
            try leavePart(of: download, data.prefix(1000), tag: "\"1\"")
            server.behave("/f", .withoutRanges)
            try await download.fetch(events: .discarding)
            #expect(try content(download) == data)
        }
    }

    @Test func startsAnewWithoutKnowingWhatItHas() async throws {
        try await withDownload { server, download in
            try Data(repeating: 0, count: 1000).write(to: URL(fileURLWithPath: download.path.string + ".part"))
            try await download.fetch(events: .discarding)
            #expect(try content(download) == data)
            #expect(server.requests.map(\.range) == [nil])
        }
    }

    @Test func startsAnewWithMoreThanThereIs() async throws {
        try await withDownload { server, download in
            try leavePart(of: download, data + data, tag: "\"1\"")
            try await download.fetch(events: .discarding)
            #expect(try content(download) == data)
        }
    }

    @Test func connectionThatIsCutAtOnceIsAnError() async throws {
        try await withDownload { server, download in
            server.behave("/f", .cut(after: 10), .cut(after: 0), .cut(after: 0))
            // Each resumption starts anew and brings nothing more.
            await #expect(throws: SourceError.self) { try await download.fetch(events: .discarding) }
            #expect(!download.path.exists)
        }
    }

    @Test func missingFileIsAnError() async throws {
        try await withDownload { server, download in
            let missing = Download(url: download.url + "missing", path: download.path)
            let error = await #expect(throws: SourceError.self) { try await missing.fetch(events: .discarding) }
            #expect(error?.exitStatus == .environment)
            #expect(error?.description.contains("404") == true)
            #expect(error?.description.contains("/fmissing") == true)
            #expect(!download.path.exists)
        }
    }

    @Test func serverThatIsNotThereIsAnError() async throws {
        try await withTemporaryFolder { folder in
            // Port 1 (tcpmux) is served nowhere.
            let download = Download(url: "http://127.0.0.1:1/f", path: folder.appending("f"))
            let error = await #expect(throws: SourceError.self) { try await download.fetch(events: .discarding) }
            #expect(error?.description.contains("127.0.0.1") == true)
            let left = try folder.names()
            #expect(left == [])
        }
    }

    @Test func cancellationKeepsThePartForNextTime() async throws {
        try await withDownload { server, download in
            try leavePart(of: download, data.prefix(1000), tag: "\"1\"")
            server.behave("/f", .silent)
            let task = Task { try await download.fetch(events: .discarding) }
            await server.waitForRequest(of: "/f")
            task.cancel()
            await #expect(throws: CancellationError.self) { try await task.value }
            #expect(!download.path.exists)
            try await download.fetch(events: .discarding)
            #expect(try content(download) == data)
            #expect(server.requests.last?.range == "bytes=1000-")
        }
    }
}
