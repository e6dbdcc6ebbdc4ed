// SPDX-License-Identifier: GPL-2.0-only

import Foundation
import XMLCoder

/// `junit.xml`, as Jenkins and GitLab read it (the schema junit-10.xsd of Jenkins' xUnit plugin): a suite for each subject, a
/// case for each scenario, and a suite "machine" for what went wrong beyond the scenarios.
struct JUnitReport {
    private let results: Results

    init(_ results: Results) {
        self.results = results
    }

    func data() -> Data {
        let encoder = XMLEncoder()
        encoder.outputFormatting = .prettyPrinted
        encoder.charactersEscapedInAttributes += [("\n", "&#10;"), ("\t", "&#9;")]
        // All of it is strings and numbers: nothing that the encoder could refuse.
        return
            (try? encoder.encode(root, withRootKey: "testsuites", header: XMLHeader(version: 1.0, encoding: "UTF-8")))
            ?? Data()
    }

    private var root: Root {
        var suites: [Suite] = []
        for scenario in results.suite.scenarios {
            let subject = scenario.subject
            if let index = suites.firstIndex(where: { $0.name == subject.visible }) {
                suites[index].add(Case(scenario))
            } else {
                suites.append(Suite(name: subject, started: results.started, cases: [Case(scenario)]))
            }
        }
        if let machine = machineSuite { suites.append(machine) }
        return Root(suites: suites)
    }

    /// CI shows cases, so a machine that died is one: else a run cut short would look like a shorter, green one.
    private var machineSuite: Suite? {
        let troubles = results.troubles
        guard !troubles.isEmpty else { return nil }
        var machine = Case(name: results.context.machine, classname: "machine")
        let console = results.lastConsoleLines.joined(separator: "\n")
        machine.errors = troubles.map { Case.Message(message: $0, type: "machine", text: console) }
        return Suite(name: "machine", started: results.started, cases: [machine])
    }
}

/// An element whose properties are attributes, but for those that it names.
private protocol JUnitElement: Encodable, DynamicNodeEncoding {
    /// Keys of properties that are elements of their own; "" is the text.
    static var elements: Set<String> { get }
}

extension JUnitElement {
    static func nodeEncoding(for key: any CodingKey) -> XMLEncoder.NodeEncoding {
        elements.contains(key.stringValue) ? .element : .attribute
    }
}

private struct Root: JUnitElement {
    static let elements: Set = ["testsuite"]

    let name = "uffd-rwp"
    let tests: Int
    let failures: Int
    let errors: Int
    let time: String
    let testsuite: [Suite]

    init(suites: [Suite]) {
        tests = suites.reduce(0) { $0 + $1.tests }
        failures = suites.reduce(0) { $0 + $1.failures }
        errors = suites.reduce(0) { $0 + $1.errors }
        time = seconds(suites.reduce(0) { $0 + $1.milliseconds })
        testsuite = suites
    }

    private enum CodingKeys: String, CodingKey {
        case name, tests, failures, errors, time, testsuite
    }
}

private struct Suite: JUnitElement {
    static let elements: Set = ["testcase"]

    let name: String
    private(set) var tests = 0
    private(set) var failures = 0
    private(set) var errors = 0
    private(set) var skipped = 0
    private(set) var time = seconds(0)
    let timestamp: String
    private(set) var testcase: [Case] = []

    init(name: String, started: Date, cases: [Case]) {
        self.name = name.visible
        // The schema wants a date and time without a zone; ours is UTC.
        timestamp = started.formatted(Date.ISO8601FormatStyle(timeZone: .gmt)).replacing("Z", with: "")
        cases.forEach { add($0) }
    }

    var milliseconds: Int { testcase.reduce(0) { $0 + ($1.milliseconds ?? 0) } }

    mutating func add(_ newCase: Case) {
        testcase.append(newCase)
        tests += 1
        failures += newCase.failures.isEmpty ? 0 : 1
        errors += newCase.errors.isEmpty ? 0 : 1
        skipped += newCase.skipped == nil ? 0 : 1
        time = seconds(milliseconds)
    }

    private enum CodingKeys: String, CodingKey {
        case name, tests, failures, errors, skipped, time, timestamp, testcase
    }
}

private struct Case: JUnitElement {
    static let elements: Set = ["skipped", "error", "failure", "system-out"]

    /// A failure or an error: a line in an attribute, and the whole in the element.
    struct Message: JUnitElement {
        static let elements: Set = [""]

        let message: String
        let type: String
        let text: String

        init(message: String, type: String, text: String) {
            self.message = message.visible
            self.type = type
            self.text = text.visible
        }

        private enum CodingKeys: String, CodingKey {
            case message, type
            case text = ""
        }
    }

    /// Why a case did not run.
    struct Skip: JUnitElement {
        static let elements: Set<String> = []

        let message: String
    }

    let name: String
    let classname: String
    let time: String
    var skipped: Skip?
    var errors: [Message] = []
    var failures: [Message] = []
    var output: String?
    let milliseconds: Int?

    init(name: String, classname: String, milliseconds: Int? = nil) {
        self.name = name.visible
        self.classname = classname.visible
        time = seconds(milliseconds ?? 0)
        self.milliseconds = milliseconds
    }

    init(_ scenario: ScenarioResult) {
        self.init(
            name: scenario.name,
            classname: scenario.subject,
            milliseconds: scenario.durationMilliseconds
        )
        switch scenario.verdict {
        case .passed: break
        case .skipped: skipped = Skip(message: (scenario.reason ?? "").visible)
        case .expected: skipped = Skip(message: "failed as expected: \(scenario.reason ?? "")".visible)
        case .failed:
            let checks = scenario.failures.map { "\($0.location): \($0.message)" }
            let text = checks.isEmpty ? scenario.reason ?? "" : checks.joined(separator: "\n")
            failures = [Message(message: scenario.reason ?? "failed", type: "failed", text: text)]
        }
        if !scenario.diagnostics.isEmpty { output = scenario.diagnostics.joined(separator: "\n").visible }
    }

    private enum CodingKeys: String, CodingKey {
        case name, classname, time, skipped
        case errors = "error"
        case failures = "failure"
        case output = "system-out"
    }
}

/// JUnit's times are decimal seconds.
private func seconds(_ milliseconds: Int) -> String {
    let (whole, rest) = milliseconds.magnitude.quotientAndRemainder(dividingBy: 1000)
    let digits = "\(rest)"
    return "\(whole)." + String(repeating: "0", count: 3 - digits.count) + digits
}
