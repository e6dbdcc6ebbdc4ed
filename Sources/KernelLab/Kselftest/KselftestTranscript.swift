// SPDX-License-Identifier: GPL-2.0-only

/// What one selftest printed, read as the KTAP of the kernel's tests: each test in it gets a name of its own.
///
/// Where a test says the same of several (`ok 3 Pages were unmerged`), their names begin with what it said was run
/// (`# [RUN] test_unmerge`). What is still not unique gets a number, so that the tests of two runs can be compared by name.
public struct KselftestTranscript: Sendable {
    private let program: String
    private var collector = SuiteCollector(dialect: .kernel)
    private var names: [String] = []
    private var uses: [String: Int] = [:]
    private var running: String?

    /// A transcript from its start; `program` is "mm:cow".
    public init(program: String) {
        self.program = program
    }

    /// Takes the next line; returns a plan or a result, whose name is now the test's own, "mm:cow/NAME".
    public mutating func take(_ line: String) -> KTAPEvent? {
        let event = collector.receive(Array(line.utf8) + [UInt8(ascii: "\n")]).first
        switch event {
        case .diagnostic(let text) where text.hasPrefix("[RUN] "):
            running = Self.trimmed(text.dropFirst("[RUN] ".count))
            return nil
        case .plan:
            return event
        case .result(let number, let name, let verdict, let reason):
            names.append(unique(name.isEmpty ? "test \(number)" : name))
            return .result(number: number, name: names[names.count - 1], verdict: verdict, reason: reason)
        default:
            return nil
        }
    }

    /// Ends it and returns what it came to.
    public mutating func finish() -> SuiteResult {
        var suite = collector.finish()
        for index in suite.scenarios.indices where index < names.count {
            suite.scenarios[index].name = names[index]
            suite.scenarios[index].diagnostics.removeAll { $0.hasPrefix("[RUN] ") }
        }
        return suite
    }

    private mutating func unique(_ name: String) -> String {
        var name = name
        if let running, !running.contains(name), !name.contains(running) { name = "\(running): \(name)" }
        let count = uses[name, default: 0] + 1
        uses[name] = count
        return "\(program)/\(name)" + (count > 1 ? " #\(count)" : "")
    }

    private static func trimmed(_ text: Substring) -> String {
        text.split(separator: " ").joined(separator: " ")
    }
}
