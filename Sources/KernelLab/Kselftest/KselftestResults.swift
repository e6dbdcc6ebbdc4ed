// SPDX-License-Identifier: GPL-2.0-only

extension SuiteResult {
    /// The suite with a result for each test that the programs among `programs` printed, before the program's own.
    ///
    /// A program's own result fails if one of its tests does, if not all of those that it planned ran, and if the guest saw
    /// it fail: by its exit status, a crash, a hang, or a splat of the kernel's.
    public func expandingKselftests(_ programs: Set<String>) -> SuiteResult {
        var suite = self
        suite.scenarios = scenarios.flatMap { result in
            programs.contains(result.name) ? Self.expand(result) : [result]
        }
        // Of a program that the machine did not survive, what it had said until then counts.
        if let running, programs.contains(running) {
            let lines = diagnostics.filter { $0.hasPrefix("  ") }.map { String($0.dropFirst(2)) }
            suite.scenarios += Self.read(lines, of: running).scenarios
        }
        for index in suite.scenarios.indices { suite.scenarios[index].number = index + 1 }
        suite.planned = planned.map { $0 + suite.scenarios.count - scenarios.count }
        return suite
    }

    private static func read(_ lines: [String], of program: String) -> SuiteResult {
        var transcript = KselftestTranscript(program: program)
        for line in lines { _ = transcript.take(line) }
        return transcript.finish()
    }

    private static func expand(_ result: ScenarioResult) -> [ScenarioResult] {
        let inner = read(result.diagnostics, of: result.name)
        var own = result
        own.diagnostics = inner.diagnostics
        let failed = inner.count(.failed)
        var reasons: [String] = []
        if failed > 0 { reasons.append("\(failed) of \(inner.scenarios.count) tests failed") }
        // A skipped program plans none, and one that gives up early says why.
        if let planned = inner.planned, planned != inner.scenarios.count {
            reasons.append("\(inner.scenarios.count) of \(planned) planned tests ran")
        }
        if result.verdict == .failed || !reasons.isEmpty {
            if let bailOut = inner.bailOut, failed == 0 { reasons.append("it gave up: \(bailOut)") }
            if let reason = result.reason, result.verdict == .failed { reasons.append(reason) }
            own.verdict = .failed
            own.reason = reasons.joined(separator: "; ")
        } else if result.verdict == .skipped, let reason = inner.diagnostics.first(where: { $0.hasPrefix("SKIP ") }) {
            own.reason = String(reason.dropFirst("SKIP ".count))
        }
        return inner.scenarios + [own]
    }
}
