// SPDX-License-Identifier: GPL-2.0-only

import Foundation
import SystemPackage

/// Fetches a file by HTTP, with curl(1), and carries on where an interrupted run stopped.
///
/// What has arrived is kept in `FILE.part`, and beside it the server's headers, whose ETag or Last-Modified name the
/// version of the file: the rest is asked for on condition that it is still that version (RFC 9110, 13.1.5). A
/// server that does not know ranges, or has another version by now, sends all of it anew.
struct Download: Sendable {
    /// Where from.
    let url: String
    /// Where to; there as a whole or not at all.
    let path: FilePath
    /// How long to wait for a connection, and for a byte once there is one, in seconds.
    var connectTimeout = 5
    var stallTimeout = 30

    /// Fetches the file; what is there already is taken for it.
    ///
    /// - Throws: `SourceError.notFetched`.
    func fetch(events: EventSink) async throws {
        if FileManager.default.fileExists(atPath: path.string) { return }
        var attempts = 0
        while true {
            let offset = size(of: part)
            let ending = try await attempt(from: offset, events: events)
            attempts += 1
            switch ending {
            case .whole:
                try? FileManager.default.removeItem(atPath: headers.string)
                try FileManager.default.moveItem(atPath: part.string, toPath: path.string)
                return
            case .cannotResume where offset > 0:
                discardPart()
            case .cut where size(of: part) > offset && attempts < 10:
                events.send(.note("the connection was cut after \(size(of: part) >> 20) MB; resuming"))
            case .cut(let reason), .failed(let reason):
                throw SourceError.notFetched(url: url, reason: reason)
            case .cannotResume:
                throw SourceError.notFetched(url: url, reason: "the server refuses the request")
            }
        }
    }

    private var part: FilePath { sibling(".part") }
    private var headers: FilePath { sibling(".part.headers") }
    private var newHeaders: FilePath { sibling(".headers") }

    private func sibling(_ suffix: String) -> FilePath {
        FilePath(path.string + suffix)
    }

    private func discardPart() {
        try? FileManager.default.removeItem(atPath: part.string)
        try? FileManager.default.removeItem(atPath: headers.string)
    }

    /// How one request ended.
    private enum Ending {
        case whole
        /// Bytes may have arrived, and more may come if asked again.
        case cut(String)
        case cannotResume
        case failed(String)
    }

    private func attempt(from offset: Int, events: EventSink) async throws -> Ending {
        var arguments = [
            "--fail", "--location", "--silent", "--show-error", "--proto", "=http,https",
            "--connect-timeout", "\(connectTimeout)", "--speed-limit", "1", "--speed-time", "\(stallTimeout)",
            "--output", part.string,
        ]
        if offset > 0, let validator {
            arguments += ["--continue-at", "\(offset)", "--header", "If-Range: \(validator)"]
            arguments += ["--dump-header", newHeaders.string]
        } else {
            // Bytes of an unknown version are of no use.
            discardPart()
            arguments += ["--dump-header", headers.string]
        }
        defer {
            try? FileManager.default.removeItem(atPath: newHeaders.string)
            if size(of: part) == 0 { discardPart() }
        }
        let progress = reportProgress(to: events)
        defer { progress.cancel() }
        do {
            try await Tool.find("curl").run(arguments + ["--", url])
            // curl takes "416 Range Not Satisfiable" for "you have it all", which is so only with that very size.
            return status(in: newHeaders) == 416 && total != offset ? .cannotResume : .whole
        } catch ToolError.failed(let command, .exited(let status), let lines, _) {
            let reason = lines.last.map { $0.replacing(#/^curl: \(\d+\) /#, with: "") } ?? "curl exited with \(status)"
            switch status {
            // "HTTP server doesn't seem to support byte ranges", "range error", "could not resume download"
            case 33, 36: return .cannotResume
            // A partial file, a timeout, a receive error, an HTTP/2 stream that broke.
            case 18, 28, 52, 56, 92: return .cut(reason)
            case 23: throw ToolError.failed(command: command, status: .exited(status), lastLines: lines, log: nil)
            default: return .failed(reason)
            }
        }
    }

    /// What names the version of the bytes that we have: a strong ETag, else a Last-Modified date.
    private var validator: String? {
        guard let text = try? String(contentsOfFile: headers.string, encoding: .utf8) else { return nil }
        // After redirects the last block of headers is that of the file.
        let block = text.replacingOccurrences(of: "\r\n", with: "\n").components(separatedBy: "\n\n")
            .last { !$0.isEmpty }
        var fields: [String: String] = [:]
        for line in (block ?? "").split(separator: "\n") {
            let parts = line.split(separator: ":", maxSplits: 1)
            guard parts.count == 2 else { continue }
            fields[parts[0].lowercased()] = parts[1].trimmingCharacters(in: .whitespaces)
        }
        if let tag = fields["etag"], tag.hasPrefix("\"") { return tag }
        return fields["last-modified"]
    }

    /// The status of the last response whose headers are in `file`.
    private func status(in file: FilePath) -> Int? {
        guard let text = try? String(contentsOfFile: file.string, encoding: .utf8) else { return nil }
        return text.matches(of: #/(?m)^HTTP/[\d.]+ (\d+)/#).last.flatMap { Int($0.1) }
    }

    /// The size of the whole file, if the server said so.
    private var total: Int? {
        guard let text = try? String(contentsOfFile: headers.string, encoding: .utf8) else { return nil }
        let lengths = text.matches(of: #/(?i)content-length: *(\d+)/#).compactMap { Int($0.1) }
        return lengths.last { $0 > 0 }
    }

    /// Says twice a second how far the file is: curl's own meter is made for eyes.
    private func reportProgress(to events: EventSink) -> Task<Void, Never> {
        Task {
            while (try? await Task.sleep(for: .milliseconds(500))) != nil {
                events.send(.advanced(.fetch, done: size(of: part) >> 20, total: total.map { $0 >> 20 }, unit: "MB"))
            }
        }
    }

    private func size(of path: FilePath) -> Int {
        let attributes = try? FileManager.default.attributesOfItem(atPath: path.string)
        return (attributes?[.size] as? NSNumber)?.intValue ?? 0
    }
}
