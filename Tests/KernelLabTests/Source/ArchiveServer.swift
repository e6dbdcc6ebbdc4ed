// SPDX-License-Identifier: GPL-2.0-only

import FlyingFox
import FlyingSocks
import Foundation
import Synchronization

/// An HTTP server on loopback that serves files, and misbehaves as told.
final class ArchiveServer: Sendable {
    /// How a file is served.
    enum Behaviour: Sendable {
        /// Ranges are honoured if If-Range names the file's version.
        case proper
        /// Only so many bytes are sent, then the connection is closed.
        case cut(after: Int)
        /// Range is ignored: always the whole file.
        case withoutRanges
        /// No answer comes.
        case silent
    }

    /// What was asked for.
    struct Request: Sendable, Equatable {
        var path: String
        var range: String?
    }

    private struct State {
        var files: [String: (Data, tag: String)] = [:]
        var behaviours: [String: [Behaviour]] = [:]
        var requests: [Request] = []
    }

    private let state = Mutex(State())
    private let asked: AsyncStream<String>
    private let asking: AsyncStream<String>.Continuation

    init() {
        (asked, asking) = AsyncStream.makeStream()
    }

    /// Serves `data` at `path`, as the version `tag`.
    func serve(_ path: String, _ data: Data, tag: String = "\"1\"") {
        state.withLock { $0.files[path] = (data, tag) }
    }

    /// Behaves so for the next requests of `path`, one after the other; properly afterwards.
    func behave(_ path: String, _ behaviours: Behaviour...) {
        state.withLock { $0.behaviours[path] = behaviours }
    }

    /// All requests so far.
    var requests: [Request] { state.withLock { $0.requests } }

    /// Waits for a request of `path`.
    func waitForRequest(of path: String) async {
        for await asked in asked where asked == path { return }
    }

    /// Runs `body` with the server's URL while the server runs.
    func run<Value>(_ body: (String) async throws -> Value) async throws -> Value {
        let handler = ClosureHTTPHandler { [self] request in try await respond(request) }
        let server = HTTPServer(address: try .inet(ip4: "127.0.0.1", port: 0), logger: .disabled, handler: handler)
        let task = Task { try await server.run() }
        defer { task.cancel() }
        try await server.waitUntilListening()
        guard case .ip4(_, let port) = await server.listeningAddress else { throw POSIXError(.EADDRNOTAVAIL) }
        return try await body("http://127.0.0.1:\(port)")
    }

    private func respond(_ request: HTTPRequest) async throws -> HTTPResponse {
        let range = request.headers[.range]
        let (file, behaviour) = state.withLock { state in
            state.requests.append(Request(path: request.path, range: range))
            var queue = state.behaviours[request.path] ?? []
            let behaviour = queue.isEmpty ? .proper : queue.removeFirst()
            state.behaviours[request.path] = queue
            return (state.files[request.path], behaviour)
        }
        asking.yield(request.path)
        guard let (data, tag) = file else { return HTTPResponse(statusCode: .notFound) }

        var headers: HTTPHeaders = [HTTPHeader("ETag"): tag, HTTPHeader("Accept-Ranges"): "bytes"]
        switch behaviour {
        case .silent:
            try await Task.sleep(for: .seconds(1000))
            return HTTPResponse(statusCode: .serviceUnavailable)
        case .cut(let count):
            let body = HTTPBodySequence(from: CutBody(data: data, count: count), count: data.count)
            return HTTPResponse(statusCode: .ok, headers: headers, body: body)
        case .withoutRanges:
            return HTTPResponse(statusCode: .ok, headers: headers, body: data)
        case .proper:
            guard let start = range.flatMap(start), request.headers[HTTPHeader("If-Range")] == tag else {
                return HTTPResponse(statusCode: .ok, headers: headers, body: data)
            }
            guard start < data.count else {
                return HTTPResponse(statusCode: HTTPStatusCode(416, phrase: "Range Not Satisfiable"))
            }
            headers[HTTPHeader("Content-Range")] = "bytes \(start)-\(data.count - 1)/\(data.count)"
            return HTTPResponse(statusCode: .partialContent, headers: headers, body: data.dropFirst(start))
        }
    }

    /// "bytes=100-" starts at 100.
    private func start(of range: String) -> Int? {
        Int(range.dropFirst("bytes=".count).prefix { $0.isNumber })
    }
}

extension HTTPHeader {
    fileprivate static let range = HTTPHeader("Range")
}

/// The first `count` bytes of a body; then an error, on which the server closes the connection.
private struct CutBody: AsyncBufferedSequence {
    typealias Element = UInt8
    struct Cut: Error {}

    struct AsyncIterator: AsyncBufferedIteratorProtocol {
        var rest: Data

        mutating func next() async throws -> UInt8? {
            try await nextBuffer(suggested: 1)?.first
        }

        mutating func nextBuffer(suggested count: Int) async throws -> Data? {
            guard !rest.isEmpty else { throw Cut() }
            defer { rest = Data(rest.dropFirst(count)) }
            return rest.prefix(count)
        }
    }

    var data: Data
    var count: Int

    func makeAsyncIterator() -> AsyncIterator {
        AsyncIterator(rest: data.prefix(count))
    }
}
