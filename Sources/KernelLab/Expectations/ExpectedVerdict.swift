// SPDX-License-Identifier: GPL-2.0-only

extension Expectations {
    /// What becomes of a verdict of the guest's.
    ///
    /// A failure that an entry names is expected; a pass that an entry names is a failure, since the file, which says
    /// what a kernel offers and what it does not, is wrong then, unless the entry says that it depends on chance.
    func judge(_ name: String, _ verdict: Verdict, _ reason: String?) -> (Verdict, reason: String?, KnownDifference?) {
        guard verdict == .failed || verdict == .passed, let entry = entry(for: name) else {
            return (verdict, reason, nil)
        }
        let difference = entry.difference
        if verdict == .failed { return (.expected, difference.words, difference) }
        if entry.letsPass(name) { return (verdict, reason, nil) }
        let text = "it passes, and \(file) expects it to fail (\(difference.words)): take it out there"
        return (.failed, text, difference)
    }

    /// The suite with the verdicts that these expectations give it.
    public func judging(_ suite: SuiteResult) -> SuiteResult {
        var suite = suite
        for index in suite.scenarios.indices {
            let result = suite.scenarios[index]
            let (verdict, reason, difference) = judge(result.name, result.verdict, result.reason)
            suite.scenarios[index].verdict = verdict
            suite.scenarios[index].reason = reason
            suite.scenarios[index].difference = difference
        }
        return suite
    }

    /// A sink that hands on to `events`, with the verdicts that these expectations give.
    public func judging(_ events: EventSink) -> EventSink {
        EventSink { event in
            guard case .ktap(.result(let number, let name, let verdict, let reason)) = event else {
                return events.send(event)
            }
            let (judged, why, _) = judge(name, verdict, reason)
            events.send(.ktap(.result(number: number, name: name, verdict: judged, reason: why)))
        }
    }
}

extension SuiteResult {
    /// The guest's KTAP with what these verdicts add: `# XFAIL` behind a failure that was expected, and `# XPASS` behind
    /// a pass that was not, which is `not ok` then (kselftest's words, `tools/testing/selftests/kselftest.h`).
    func annotating(_ ktap: String) -> String {
        let judged = Dictionary(
            scenarios.filter { $0.difference != nil }.map { ($0.number, $0) },
            uniquingKeysWith: { first, _ in first }
        )
        if judged.isEmpty { return ktap }
        return ktap.split(separator: "\n", omittingEmptySubsequences: false).map { line in
            guard case .result(let number, let name, let verdict, _) = KTAPEvent(line: line),
                let result = judged[number], result.name == name, let difference = result.difference
            else { return String(line) }
            switch verdict {
            case .failed: return "\(line) # XFAIL \(difference.words)"
            case .passed: return "not \(line) # XPASS \(difference.words)"
            case .skipped, .expected: return String(line)
            }
        }.joined(separator: "\n")
    }
}
