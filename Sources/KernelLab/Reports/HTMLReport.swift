// SPDX-License-Identifier: GPL-2.0-only

import Foundation
import Mustache

/// `index.html`: one page without outside assets, to be read on a screen of any colour, sent by mail, or printed.
///
/// The page is `page.mustache`; here is only what it shows.
struct HTMLReport {
    private let results: Results
    private var suite: SuiteResult { results.suite }

    init(_ results: Results) {
        self.results = results
    }

    func data() -> Data {
        let text = String(decoding: PackageResources.page_mustache, as: UTF8.self)
        // The template is part of this program, and a test renders it.
        guard let template = try? MustacheTemplate(string: text) else { return Data() }
        return Data(template.render(view).utf8)
    }

    private var view: [String: Any] {
        let failures = suite.scenarios.filter { $0.verdict == .failed }
        let release = results.kernelRelease ?? "unknown kernel"
        var view = head.merging(body) { first, _ in first }
        view["title"] = "\(verdict): uffd-rwp on \(release)".visible
        view["hasTroubles"] = !results.troubles.isEmpty
        view["troubles"] = results.troubles.map(\.visible)
        view["console"] = Self.text(results.lastConsoleLines)
        view["hasFailures"] = !failures.isEmpty
        view["failures"] = failures.map(Self.scenario)
        return view
    }

    // MARK: Head

    private var head: [String: Any] {
        // Few kernels have known differences: the others are spared the word.
        let counts = Verdict.allCases.map { (verdict: $0, count: suite.count($0)) }
            .filter { $0.verdict != .expected || $0.count > 0 }
        return [
            "heading": "userfaultfd on \(results.kernelRelease ?? "a kernel that never said its release")".visible,
            "subheading": subheading.visible,
            "verdict": verdict,
            "verdictClass": results.exitStatus == .passed ? "passed" : "failed",
            "counts": counts.map {
                [
                    "class": $0.count > 0 ? $0.verdict.rawValue : "soft", "count": "\($0.count)",
                    "label": $0.verdict.words,
                ]
            },
            "toggles": counts.map { ["class": $0.verdict.rawValue, "label": "\($0.verdict.words) (\($0.count))"] },
            "total": "\(suite.planned ?? suite.scenarios.count)",
            "bar": (counts.filter { $0.count > 0 }).map { ["class": $0.verdict.rawValue, "count": "\($0.count)"] }
                + (missing > 0 ? [["class": "missing", "count": "\(missing)"]] : []),
            "barLabel": counts.map { "\($0.count) \($0.verdict.words)" }.joined(separator: ", "),
            "facts": facts.map { ["key": $0.0, "value": $0.1.visible, "code": $0.2] as [String: Any] },
        ]
    }

    private var missing: Int { max(0, (suite.planned ?? 0) - suite.scenarios.count) }

    private var verdict: String {
        switch results.exitStatus {
        case .passed: "Passed"
        case .scenarioFailed:
            suite.count(.failed) == 1 ? "1 scenario failed" : "\(suite.count(.failed)) scenarios failed"
        default: results.end == .finished ? "The results cannot be trusted" : "The machine died"
        }
    }

    private var subheading: String {
        let series = results.context.series.map { "series \($0)" } ?? "no series"
        return "\(results.context.base), \(series), \(results.started.formatted(Self.dateStyle)) UTC"
    }

    private static let dateStyle = Date.ISO8601FormatStyle(dateTimeSeparator: .space, timeZone: .gmt).year().month()
        .day()
        .time(includingFractionalSeconds: false)

    private var facts: [(String, String, Bool)] {
        let boot = results.bootMilliseconds.map { "\(Self.seconds($0)) to the first result, " } ?? ""
        let notes = results.notes.map { ("Note", $0, false) }
        return [
            ("Base", results.context.base, false),
            ("Series", results.context.series ?? "none", false),
            ("Machine", results.context.machine, false),
            ("Accelerator", results.accelerator.rawValue.uppercased(), false),
            ("QEMU", results.qemuVersion, false),
            ("Time", boot + "\(Self.seconds(results.totalMilliseconds)) in all", false),
        ] + notes + [
            ("Command", results.context.command.joined(separator: " "), true),
            ("Kernel arguments", results.kernelCommandLine, true),
            ("QEMU command", results.qemuCommand.joined(separator: " "), true),
        ]
    }

    // MARK: Body

    private var body: [String: Any] {
        let matrix = ResultMatrix(suite.scenarios)
        return [
            "hasMatrix": !matrix.rows.isEmpty,
            "kinds": matrix.columns.map { $0 ?? "once" },
            "matrix": matrix.rows.map { row in
                ["subject": row.subject.visible, "cells": row.cells.map { Self.cell($0, of: row.subject) }]
                    as [String: Any]
            },
            "scenarios": suite.scenarios.map(Self.scenario),
            "hasSkips": suite.count(.skipped) > 0,
            "skips": suite.skipReasons.map { ["count": "\($0.count)", "reason": $0.reason.visible] },
        ]
    }

    private static func cell(_ cell: ResultMatrix.Cell, of subject: String) -> [String: Any] {
        guard let verdict = cell.verdict else { return [:] }
        let words = Verdict.allCases.filter { cell.count($0) > 0 }.map { "\(cell.count($0)) \($0.words)" }
        let numbers: String =
            switch verdict {
            case .failed: "\(cell.count(.failed)) of \(cell.total)"
            case .passed: "\(cell.count(.passed))"
            case .expected: "\(cell.count(.expected)) of \(cell.total)"
            case .skipped: "\(cell.total)"
            }
        return [
            "label": "\(mark(verdict)) \(numbers)",
            "class": verdict.rawValue,
            "filter": "\(subject) \(cell.kind ?? "")".visible,
            "title": "\(subject) \(cell.kind ?? ""): \(words.joined(separator: ", "))".visible,
        ]
    }

    private static func scenario(_ result: ScenarioResult) -> [String: Any] {
        let facts = [
            result.rules.isEmpty ? nil : result.rules.joined(separator: " "),
            result.traps.map { "\($0) \($0 == 1 ? "trap" : "traps")" },
            result.durationMilliseconds.map(seconds),
        ]
        let printed = text(result.diagnostics)
        var view: [String: Any] = [
            "name": result.name.visible,
            "class": result.verdict.rawValue,
            "mark": mark(result.verdict),
            "subject": result.subject.visible,
            "kind": result.memoryKind ?? "",
            "facts": facts.compactMap { $0 }.joined(separator: " · ").visible,
            "hasChecks": !result.failures.isEmpty,
            "checks": result.failures.map { ["location": $0.location.visible, "message": $0.message.visible] },
            "hasDetails": printed != nil || !result.failures.isEmpty,
        ]
        view["reason"] = result.reason?.visible
        view["diagnostics"] = printed
        return view
    }

    private static func mark(_ verdict: Verdict) -> String {
        switch verdict {
        case .passed: "✓"
        case .failed: "✗"
        case .expected: "≈"
        case .skipped: "–"
        }
    }

    private static func text(_ lines: [String]) -> String? {
        lines.isEmpty ? nil : lines.joined(separator: "\n").visible
    }

    private static func seconds(_ milliseconds: Int) -> String {
        if milliseconds < 1000 { return "\(milliseconds) ms" }
        let tenths = (milliseconds + 50) / 100
        return "\(tenths / 10).\(tenths % 10) s"
    }
}

/// Results counted by subject and kind of memory.
struct ResultMatrix {
    /// The scenarios of one subject on one kind of memory.
    struct Cell {
        var kind: String?
        private var counts: [Verdict: Int] = [:]

        init(kind: String?, results: [ScenarioResult]) {
            self.kind = kind
            for result in results { counts[result.verdict, default: 0] += 1 }
        }

        var total: Int { counts.values.reduce(0, +) }

        /// What stands for all of them: a failure before one that was expected, a pass and a skip; nil where there are none.
        var verdict: Verdict? { [.failed, .expected, .passed, .skipped].first { count($0) > 0 } }

        func count(_ verdict: Verdict) -> Int { counts[verdict] ?? 0 }
    }

    /// The kinds that some scenario ran on, in the usual order, after nil for those that run once.
    let columns: [String?]
    /// The subjects, in the order of the results.
    let rows: [(subject: String, cells: [Cell])]

    init(_ results: [ScenarioResult]) {
        let kinds = Set(results.map(\.memoryKind))
        let columns = ([nil] + ScenarioResult.memoryKinds).filter { kinds.contains($0) }
        var subjects: [String] = []
        for result in results where !subjects.contains(result.subject) { subjects.append(result.subject) }
        let bySubject = Dictionary(grouping: results, by: \.subject)
        self.columns = columns
        rows = subjects.map { subject in
            let byKind = Dictionary(grouping: bySubject[subject] ?? [], by: \.memoryKind)
            return (subject, columns.map { Cell(kind: $0, results: byKind[$0] ?? []) })
        }
    }
}
