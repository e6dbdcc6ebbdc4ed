// SPDX-License-Identifier: GPL-2.0-only

import ArgumentParser
import Foundation
import KernelLab
import SystemPackage

/// `rwp series check`: does the kernel build after each patch?
struct SeriesCheckCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check",
        abstract: "Build the kernel after each patch, in each of the variants, and print a table.",
        discussion: """
            The variants are described in qemu-images/kernel/variants.toml: configurations with something off, and \
            other architectures. A warning that the source without patches does not give counts against the patch. \
            What was built before from the same source is not built again, so a run that was stopped goes on.

            Exit status 1 where anything is held against a patch.

            EXAMPLES
              rwp series check                                  every patch, every variant: hours at first
              rwp series check --variant x86_64 --lint          one, with checkpatch, W=1 and sparse
              rwp series check --patch 4 --patch 7-9            some patches
              rwp series check --series ./mine --variant arm64  patches of yours
              rwp series check --list                           the variants
            """
    )

    @OptionGroup(title: "Kernel source") var source: SourceOptions

    @Option(
        name: .customLong("variant"),
        help: ArgumentHelp("A variant to build. May be repeated (default: all).", valueName: "name")
    )
    var names: [String] = []

    @Option(
        name: .customLong("patch"),
        help: ArgumentHelp("A patch's number, or a range of them. May be repeated (default: all).", valueName: "n[-m]")
    )
    var patches: [String] = []

    @Flag(
        name: [.customLong("lint"), .customLong("checkpatch")],
        help: "Also checkpatch, and W=1 and sparse on the files that the series touches."
    )
    var lint = false

    @Flag(help: "List the variants and end.")
    var list = false

    @OptionGroup var screen: ScreenOptions

    func validate() throws {
        _ = try selection()
        if source.inPlace {
            throw CommandLineError.contradiction("--in-place", "check", wayOut: "leave --in-place out; a copy is built")
        }
    }

    func run() async throws {
        let root = try PackageRoot.find()
        let known = try BuildVariants(path: root.kernelConfigs.appending("variants.toml")).all
        if list {
            for variant in known { Output.standardOutput.line("\(variant.name): \(variant.about)") }
            return
        }
        let variants = try chosen(of: known)
        let report = try await Screen.during(screen.reader(on: .error, title: "rwp series check")) { events in
            let lab = Lab(root: root, events: events)
            let (tree, series) = try await lab.patchedTreeAndSeries(try lab.sourcePlan(source))
            return try await SeriesCheck(
                source: tree,
                series: series,
                variants: variants,
                fragments: root.kernelConfigs,
                selection: try selection(),
                lint: lint ? known.first : nil,
                cache: lab.cache,
                events: events
            ).run()
        }
        let ink = Ink.of(STDOUT_FILENO, environment: ProcessInfo.processInfo.environment)
        Output.standardOutput.write(SeriesTable(report).text(ink))
        if !report.isGood { throw ExitCode(ExitStatus.scenarioFailed.rawValue) }
    }

    private func chosen(of known: [BuildVariant]) throws -> [BuildVariant] {
        if let wrong = names.first(where: { name in !known.contains { $0.name == name } }) {
            throw CommandLineError.unknownName(wrong, kind: "variant", known: known.map(\.name))
        }
        return names.isEmpty ? known : known.filter { names.contains($0.name) }
    }

    private func selection() throws -> Set<Int>? {
        if patches.isEmpty { return nil }
        var numbers: Set<Int> = []
        for text in patches {
            guard let match = text.wholeMatch(of: /(\d{1,4})(?:-(\d{1,4}))?/), let first = Int(match.1),
                let last = match.2.map({ Int($0) }) ?? first, first >= 1, first <= last
            else {
                throw CommandLineError.badValue(text, option: "--patch", allowed: "a number or a range, as in 4 or 7-9")
            }
            numbers.formUnion(first...last)
        }
        return numbers
    }
}
