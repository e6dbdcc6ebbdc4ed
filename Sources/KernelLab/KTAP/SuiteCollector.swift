// SPDX-License-Identifier: GPL-2.0-only

/// Gathers the lines of a KTAP stream into a `SuiteResult` as they arrive, and notes every breach of the protocol.
///
/// It follows `Documentation/dev-tools/ktap.rst`. Nested results are levels, each with an indentation of its own, which a
/// version line (or KUnit's `# Subtest:`) opens and the parent's result line closes.
public struct SuiteCollector: Sendable {
    /// Who writes the stream, and so how much is forgiven.
    public enum Dialect: Sendable {
        /// Our guest, which alone writes to its port: every line must be KTAP and the plan must come first.
        case guest
        /// Kernel tests (kselftest, KUnit), whose stream may hold kernel messages, no plan, a late one, and nested results
        /// behind `# `, as kselftest's runner indents them.
        case kernel
    }

    private let dialect: Dialect
    private var splitter = KTAPLineSplitter()
    private var lineNumber = 0
    private var levels: [KTAPLevel]
    private var errors: [KTAPProtocolError] = []
    private var bailOut: String?
    private var sawTotals = false

    /// Makes a collector at the start of a stream.
    public init(dialect: Dialect = .guest) {
        self.dialect = dialect
        levels = [KTAPLevel(prefix: "")]
    }

    /// The scenario that started last and has no result yet.
    public var running: String? { levels[0].running }

    /// True once every planned result arrived, or the guest bailed out: nothing more is to come.
    public var isOver: Bool {
        bailOut != nil || (levels[0].planned.map { levels[0].results.count >= $0 } ?? false)
    }

    /// Takes the next chunk of the stream and returns what its lines say; lines of nested results are only gathered.
    public mutating func receive(_ bytes: some Collection<UInt8>) -> [KTAPEvent] {
        splitter.split(bytes).compactMap { receive($0) }
    }

    /// Ends the stream and returns what it came to; the collector is of no use afterwards.
    public mutating func finish() -> SuiteResult {
        if let line = splitter.finish() { takeUnterminated(line) }
        closeLevels(above: 0)
        checkEnd()
        let top = levels[0]
        return SuiteResult(
            planned: top.planned,
            scenarios: top.results,
            bailOut: bailOut,
            running: top.running,
            diagnostics: top.strayDiagnostics + top.diagnostics,
            protocolErrors: errors,
            isComplete: bailOut == nil && top.planned == top.results.count
        )
    }

    // MARK: Lines

    private mutating func receive(_ line: KTAPLineSplitter.Line) -> KTAPEvent? {
        lineNumber += 1
        if line.droppedBytes > 0 {
            report(.lineTooLong, "a line of more than \(KTAPLineSplitter.limit) bytes, cut: \(Self.excerpt(line.text))")
        }
        let (level, text) = locate(line.text[...])
        let event = plainEvent(text)
        take(event, text: String(text), at: level)
        return level == 0 ? event : nil
    }

    /// A line without its end proves nothing in a stream that must end with one: `ok 1` may be the start of `ok 12`.
    private mutating func takeUnterminated(_ line: KTAPLineSplitter.Line) {
        switch dialect {
        case .kernel: _ = receive(line)
        case .guest:
            lineNumber += 1
            report(.cutOff, "the stream ends in the middle of a line: \(Self.excerpt(line.text))")
        }
    }

    /// Finds the level that a line belongs to, opening one where it begins a nested result.
    private mutating func locate(_ line: Substring) -> (level: Int, text: Substring) {
        var text = line
        var level = 0
        while level + 1 < levels.count, text.hasPrefix(levels[level + 1].prefix) {
            level += 1
            text = text.dropFirst(levels[level].prefix.count)
        }
        guard let prefix = nestingPrefix(of: text) else { return (level, text) }
        closeLevels(above: level)
        levels.append(KTAPLevel(prefix: prefix))
        return (level + 1, text.dropFirst(prefix.count))
    }

    private func nestingPrefix(of text: Substring) -> String? {
        let spaces = text.prefix { $0 == " " }
        let rest = text.dropFirst(spaces.count)
        if !spaces.isEmpty, rest.hasPrefix("# Subtest:") { return String(spaces) }
        if !spaces.isEmpty, case .version = KTAPEvent(line: rest) { return String(spaces) }
        if dialect == .kernel, text.hasPrefix("# "), case .version = KTAPEvent(line: text.dropFirst(2)) { return "# " }
        return nil
    }

    /// `# running NAME` is our guest's word; for other tests it is a diagnostic like any other.
    private func plainEvent(_ text: Substring) -> KTAPEvent {
        let event = KTAPEvent(line: text)
        if dialect == .kernel, case .running(let name) = event { return .diagnostic("running \(name)") }
        return event
    }

    // MARK: Events

    private mutating func take(_ event: KTAPEvent, text: String, at level: Int) {
        if bailOut != nil {
            reportOnce(.afterBailOut, "the stream goes on after Bail out: \(Self.excerpt(text))")
        }
        checkVersionCameFirst(event, at: level)
        switch event {
        case .version(let version): takeVersion(version, at: level)
        case .plan(let count): takePlan(count, text: text, at: level)
        case .running(let name): takeRunning(name, at: level)
        case .diagnostic(let text): takeDiagnostic(text, at: level)
        case .result(let number, let name, let verdict, let reason):
            closeLevels(above: level)
            checkResult(number: number, name: name, at: level)
            levels[level].add(number: number, name: name, verdict: verdict, reason: reason)
        case .bailOut(let reason): bailOut = bailOut ?? reason
        case .unknown(let text):
            if dialect == .guest { report(.unknownLine, "not a line of KTAP: \(Self.excerpt(text))") }
            levels[level].diagnostics.append(text)
        }
    }

    private mutating func takeVersion(_ version: Int, at level: Int) {
        let supported = dialect == .guest ? [1] : [1, 13, 14]
        if levels[level].hasVersion {
            report(.duplicateVersion, "a second version line")
        } else if !supported.contains(version) {
            report(.unsupportedVersion, "version \(version) of the protocol; this reads \(supported)")
        }
        levels[level].hasVersion = true
    }

    private mutating func takePlan(_ count: Int, text: String, at level: Int) {
        if let planned = levels[level].planned {
            report(.duplicatePlan, "a second plan, 1..\(count), after 1..\(planned)")
            return
        }
        if dialect == .guest, !levels[level].results.isEmpty {
            report(.latePlan, "the plan 1..\(count) comes after \(levels[level].results.count) results")
        }
        levels[level].planned = count
        if let reason = text.split(separator: "#", maxSplits: 1).dropFirst().first {
            levels[level].diagnostics.append(reason.trimmingPrefix { $0 == " " }.description)
        }
    }

    private mutating func takeRunning(_ name: String, at level: Int) {
        if let unfinished = levels[level].running {
            report(.missingResult, "\(unfinished) has no result, and \(name) starts")
        }
        levels[level].start(name)
    }

    private mutating func takeDiagnostic(_ text: String, at level: Int) {
        if level == 0, dialect == .guest, let totals = KTAPLevel.totals(text) {
            sawTotals = true
            let found = Verdict.ofGuest.map { verdict in levels[0].results.count { $0.verdict == verdict } }
            if totals != found {
                let (said, counted) = (KTAPLevel.words(totals), KTAPLevel.words(found))
                report(.wrongTotals, "the totals say \(said), the results \(counted)")
            }
        } else if !text.hasPrefix("Subtest:") {
            levels[level].diagnostics.append(text)
        }
    }

    // MARK: Checks

    private mutating func checkVersionCameFirst(_ event: KTAPEvent, at level: Int) {
        guard level == 0, !levels[0].hasVersion else { return }
        switch event {
        case .version: return
        case .diagnostic, .unknown: if dialect == .kernel { return }
        default: break
        }
        reportOnce(.missingVersion, "the stream does not begin with a version line")
    }

    private mutating func checkResult(number: Int, name: String, at level: Int) {
        let here = levels[level]
        let expected = (here.results.last?.number ?? 0) + 1
        if here.numbers.contains(number) {
            report(.duplicateNumber, "number \(number) a second time, for \(name)")
        } else if number != expected {
            report(.numberOutOfOrder, "number \(number) for \(name) where \(expected) was due")
        }
        guard dialect == .guest else { return }
        if here.names.contains(name) {
            report(.duplicateName, "a second result for \(name)")
        }
        if let running = here.running, running != name {
            report(.wrongScenario, "a result for \(name) while \(running) was running")
        }
    }

    private mutating func closeLevels(above level: Int) {
        while levels.count > level + 1 {
            let closed = levels.removeLast()
            if let planned = closed.planned, planned != closed.results.count {
                let counts = "\(closed.results.count) of \(planned)"
                report(.planMismatch, "\(counts) planned subtests have a result")
            }
            levels[levels.count - 1].subtests += closed.results
            levels[levels.count - 1].diagnostics += closed.strayDiagnostics + closed.diagnostics
        }
    }

    private mutating func checkEnd() {
        let top = levels[0]
        if !top.hasVersion {
            reportOnce(.missingVersion, lineNumber == 0 ? "the stream is empty" : "the stream has no version line")
        }
        guard bailOut == nil, lineNumber > 0 else { return }
        guard let planned = top.planned else {
            if dialect == .guest { report(.missingPlan, "the stream has no plan") }
            return
        }
        let count = top.results.count
        let names = top.running.map { ", while \($0) was running" } ?? ""
        if count < planned, dialect == .guest, !sawTotals {
            reportOnce(.cutOff, "the stream ends after \(count) of \(planned) results\(names)")
        } else if count != planned {
            report(.planMismatch, "the plan is 1..\(planned), and \(count) results came\(names)")
        } else if let running = top.running {
            report(.missingResult, "\(running) started and has no result")
        }
    }

    private mutating func report(_ kind: KTAPProtocolError.Kind, _ message: String) {
        errors.append(KTAPProtocolError(kind, line: lineNumber, message))
    }

    /// For what would otherwise be said of every line that follows.
    private mutating func reportOnce(_ kind: KTAPProtocolError.Kind, _ message: String) {
        if !errors.contains(where: { $0.kind == kind }) { report(kind, message) }
    }

    private static func excerpt(_ text: String) -> String {
        "“" + text.prefix(80) + (text.count > 80 ? "…”" : "”")
    }
}
