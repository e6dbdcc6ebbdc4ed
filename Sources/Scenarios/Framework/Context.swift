// SPDX-License-Identifier: GPL-2.0-only

import Userfaultfd

/// What a running scenario is handed: the kind of memory, checks, and a line to the report.
public final class Context: Sendable {
    /// The scenario that runs.
    public let scenario: Scenario
    /// How long a scenario of load runs, and the seed of its choices.
    public let load: Load
    private let memoryKind: MemoryKind?
    private let counters = Words(1)
    private let report: @Sendable (String) -> Void

    /// Makes a context; `report` gets each diagnostic line.
    public init(
        _ scenario: Scenario,
        kind: MemoryKind?,
        load: Load = Load(),
        report: @escaping @Sendable (String) -> Void
    ) {
        self.scenario = scenario
        self.load = load
        memoryKind = kind
        self.report = report
    }

    /// The kind of memory that this run is for; the first call of a scenario without one ends it as a bug of its own.
    public var kind: MemoryKind {
        guard let memoryKind else { fatalError("a scenario without memory kinds asked for its kind") }
        return memoryKind
    }

    /// Tells that the trap which the scenario is about fired. Without one, a scenario whose `traps` is true fails.
    public func sawTrap() {
        counters.add(1, at: 0)
    }

    /// How many traps were seen.
    public var traps: UInt64 { counters[0] }

    /// A line for the report, shown with the result.
    public func note(_ text: String) {
        report(text)
    }

    /// A benchmark's figure: `# figure: NAME VALUE UNIT` in the report.
    public func figure(_ name: String, _ value: Int, _ unit: String) {
        report("figure: \(name) \(value) \(unit)")
    }

    /// Fails the scenario with `message` unless the condition holds.
    public func expect(
        _ condition: Bool,
        _ message: @autoclosure () -> String,
        file: StaticString = #fileID,
        line: UInt = #line
    ) throws(Failure) {
        if !condition { throw Context.failure(file, line, message()) }
    }

    /// Fails the scenario unless both are equal; says what was got and what was expected.
    public func expectEqual<Value: Equatable & BinaryInteger>(
        _ got: Value,
        _ expected: Value,
        _ what: @autoclosure () -> String,
        file: StaticString = #fileID,
        line: UInt = #line
    ) throws(Failure) {
        if got != expected {
            throw Context.unequal(file, line, what(), Int64(got), Int64(expected))
        }
    }

    /// Fails the scenario unless the call fails with this error number.
    public func expectErrno(
        _ expected: Errno,
        _ what: @autoclosure () -> String,
        file: StaticString = #fileID,
        line: UInt = #line,
        _ call: () throws(Failure) -> Void
    ) throws(Failure) {
        do throws(Failure) {
            try call()
        } catch {
            if error.errno == expected { return }
            throw Context.unexpected(file, line, what(), "got '\(error.message)'", expected)
        }
        throw Context.unexpected(file, line, what(), "succeeded", expected)
    }

    /// Runs a call and puts the place it was called from before the message of its failure.
    public func step<Result>(
        _ what: @autoclosure () -> String,
        file: StaticString = #fileID,
        line: UInt = #line,
        _ call: () throws(Failure) -> Result
    ) throws(Failure) -> Result {
        do throws(Failure) {
            return try call()
        } catch {
            throw Context.failure(file, line, "\(what()): \(error.message)")
        }
    }

    // The checks above are copied by the compiler to each of their hundreds of callers, so they leave the words to these,
    // of which there is one each: that keeps the program small.

    @inline(never)
    private static func failure(_ file: StaticString, _ line: UInt, _ message: String) -> Failure {
        Failure("\(file):\(line): \(message)")
    }

    @inline(never)
    private static func unequal(
        _ file: StaticString,
        _ line: UInt,
        _ what: String,
        _ got: Int64,
        _ expected: Int64
    ) -> Failure {
        failure(file, line, "\(what): got \(got), expected \(expected)")
    }

    @inline(never)
    private static func unexpected(
        _ file: StaticString,
        _ line: UInt,
        _ what: String,
        _ got: String,
        _ expected: Errno
    ) -> Failure {
        failure(file, line, "\(what): \(got), expected \(expected.name)")
    }
}
