// SPDX-License-Identifier: GPL-2.0-only

import ArgumentParser
import Foundation
import KernelLab
import SystemPackage
import TextTable

/// `rwp mistakes`: do the scenarios notice what is wrong?
struct MistakesCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "mistakes",
        abstract: "Put mistakes into the kernel, one at a time, and see that the scenarios notice each.",
        discussion: """
            Tests/Mistakes has the mistakes that reviewers found in earlier designs, and some more: small patches on \
            top of the series, each with the scenarios that must fail on a kernel that has it. --hunks takes the \
            series itself apart instead, one hunk at a time.

            Exit status 1 where a mistake goes unnoticed.

            EXAMPLES
              rwp mistakes                         all of them
              rwp mistakes force-loops             one
              rwp mistakes --list                  what there is
              rwp mistakes --hunks --after 3       each hunk of the series but those of its first three patches
              rwp mistakes --hunks --after 3 'mm/gup.c:*'
            """
    )

    @Argument(help: ArgumentHelp("Mistakes, or globs of them (default: all).", valueName: "name"))
    var names: [String] = []

    @Flag(help: "Take out each hunk of the series in turn, instead, and run every scenario of read-write protection.")
    var hunks = false

    @Option(help: ArgumentHelp("With --hunks: leave out the hunks of so many first patches.", valueName: "n"))
    var after = 0

    @Flag(help: "List the mistakes, or the hunks, and end.")
    var list = false

    @OptionGroup(title: "Kernel source") var source: SourceOptions
    @OptionGroup(title: "Kernel build") var build: BuildOptions
    @OptionGroup(title: "Virtual machine") var machine: MachineOptions

    @Option(help: ArgumentHelp("Multiply every time limit, for slow hosts and kernels.", valueName: "n"))
    var timeoutScale = 1

    @Option(
        help: ArgumentHelp("Where each boot makes the folder of its results.", valueName: "dir"),
        completion: .directory
    )
    var results = "results/mistakes"

    @OptionGroup var screen: ScreenOptions

    /// What runs on a kernel without a hunk: everything that read-write protection is about.
    private static let hunkScenarios = ["api-*", "rwp-*", "wp-fork*", "wp-scan*"]
    /// What no mistake breaks.
    private static let controls = ["missing-*.anon"]

    func validate() throws {
        if source.inPlace {
            throw CommandLineError.contradiction(
                "--in-place",
                "mistakes",
                wayOut: "leave --in-place out; mistakes go into a copy"
            )
        }
        if after < 0 { throw CommandLineError.badValue("\(after)", option: "--after", allowed: "a number from 0") }
        if after > 0, !hunks { throw CommandLineError.needs("--hunks", option: "--after") }
    }

    func run() async throws {
        let root = try PackageRoot.find()
        let known = try Mistake.all(in: root.path.appending("Tests").appending("Mistakes"))
        if list, !hunks { return Output.standardOutput.write(Self.list(try chosen(of: known))) }
        let outcomes = try await Screen.during(screen.reader(on: .error, title: "rwp mistakes")) {
            events -> [MistakeTrial.Outcome] in
            let lab = Lab(root: root, events: events)
            let description = try lab.machine(machine.machine)
            let source = try lab.sourcePlan(source)
            let configuration = try lab.configuration(build)
            let tree = try await MistakenTree(
                of: try await lab.patchedTree(source),
                architecture: lab.architecture,
                configuration: configuration,
                cache: lab.cache,
                events: events
            )
            defer { tree.release() }
            let trial = MistakeTrial(
                lab: lab,
                machine: description,
                plan: plan(.built(source, configuration)),
                scenarios: hunks ? Self.hunkScenarios : [],
                controls: hunks ? [] : Self.controls
            )
            return try await withTemporaryFolder { folder -> [MistakeTrial.Outcome] in
                let all = hunks ? try await tree.hunks(after: after, into: folder) : known
                let mistakes = try chosen(of: all)
                if list {
                    mistakes.forEach { Output.standardOutput.line("\($0.name)  \($0.title)") }
                    return []
                }
                return try await trial.run(mistakes, in: tree)
            }
        }
        if list { return }
        let ink = Ink.of(STDOUT_FILENO, environment: ProcessInfo.processInfo.environment)
        Output.standardOutput.write(Self.table(outcomes, ink))
        if !outcomes.allSatisfy(\.verdict.isGood) { throw ExitCode(ExitStatus.scenarioFailed.rawValue) }
    }

    private func chosen(of known: [Mistake]) throws -> [Mistake] {
        for name in names where !known.contains(where: { fnmatch(name, $0.name, 0) == 0 }) {
            throw CommandLineError.unknownName(name, kind: hunks ? "hunk" : "mistake", known: known.map(\.name))
        }
        return names.isEmpty ? known : known.filter { mistake in names.contains { fnmatch($0, mistake.name, 0) == 0 } }
    }

    private func plan(_ kernel: KernelPlan) -> TestPipeline.Plan {
        TestPipeline.Plan(
            kernel: kernel,
            machine: machine.machine,
            accelerator: machine.accel,
            patterns: [],
            skips: [],
            rounds: 1,
            timeoutScale: timeoutScale,
            results: FilePath(results),
            command: CommandLine.arguments
        )
    }

    private func withTemporaryFolder<Value>(_ body: (FilePath) async throws -> Value) async throws -> Value {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("rwp-hunks-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: false)
        defer { try? FileManager.default.removeItem(at: folder) }
        return try await body(FilePath(folder.path))
    }

    // MARK: Tables

    private static func list(_ mistakes: [Mistake]) -> String {
        let table = TextTable<Mistake> { mistake in
            [
                Column(title: "MISTAKE", value: mistake.name),
                Column(title: "REVIEW", value: mistake.review.map(String.init) ?? ""),
                Column(title: "RULES", value: mistake.rules.joined(separator: " ")),
                Column(title: "MUST FAIL", value: expectation(mistake)),
                Column(title: "IT IS TO", value: mistake.title),
            ]
        }
        return table.string(for: mistakes, style: Style.simple) ?? ""
    }

    private static func expectation(_ mistake: Mistake) -> String {
        (mistake.fails + mistake.failsEvery.map { "all of \($0)" }).joined(separator: " ")
    }

    static func table(_ outcomes: [MistakeTrial.Outcome], _ ink: Ink) -> String {
        let table = TextTable<MistakeTrial.Outcome> { outcome in
            [
                Column(title: "MISTAKE", value: outcome.mistake.name),
                Column(title: "REVIEW", value: outcome.mistake.review.map(String.init) ?? ""),
                Column(title: "RULES", value: outcome.mistake.rules.joined(separator: " ")),
                Column(title: "MUST FAIL", value: expectation(outcome.mistake)),
                Column(title: "VERDICT", value: outcome.verdict.words),
            ]
        }
        let bad = outcomes.filter { !$0.verdict.isGood }
        let text = (table.string(for: outcomes, style: Style.simple) ?? "")
            .replacing("UNNOTICED", with: ink.red("UNNOTICED"))
        let folders = bad.compactMap { outcome in outcome.results.map { "\(outcome.mistake.name): \($0)\n" } }.joined()
        return text + "\n" + folders + "\(outcomes.count) mistakes, "
            + (bad.isEmpty ? ink.green("all noticed") : ink.red("\(bad.count) unnoticed")) + "\n"
    }
}
