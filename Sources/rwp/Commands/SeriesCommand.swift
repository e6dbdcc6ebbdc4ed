// SPDX-License-Identifier: GPL-2.0-only

import ArgumentParser
import KernelLab
import TextTable

/// `rwp series`: which patches there are, and whether each builds.
struct SeriesCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "series",
        abstract: "List the patches of the kernel series, or check each of them.",
        discussion: """
            EXAMPLES
              rwp series                  what there is under kernel-patches
              rwp series v7.2             the patches of one, in their order
              rwp series check --lint     does the kernel build after each?
            """,
        subcommands: [SeriesListCommand.self, SeriesCheckCommand.self],
        defaultSubcommand: SeriesListCommand.self
    )
}

/// `rwp series [NAME]`: which patches there are.
struct SeriesListCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list",
        abstract: "List the kernel series, or the patches of one (the default).",
        discussion: """
            EXAMPLES
              rwp series            what there is under kernel-patches
              rwp series v7.2       the patches of one, in their order
              rwp series ./mine     those of a folder of yours
            """
    )

    @Argument(help: ArgumentHelp("A series under kernel-patches, or a folder of patches.", valueName: "name|dir"))
    var name: String?

    func run() async throws {
        let lab = Lab(root: try PackageRoot.find(), events: .discarding)
        if let name {
            let patches = try await lab.series(name).summaries()
            Output.standardOutput.write(Self.table(patches))
        } else {
            for name in PatchSeries.names(in: lab.root.kernelPatches) {
                Output.standardOutput.line("\(name)  \(try lab.series(name).patches.count) patches")
            }
        }
    }

    private static func table(_ patches: [PatchSummary]) -> String {
        let table = TextTable<PatchSummary> { patch in
            [
                Column(title: "PATCH", value: patch.name.prefix(4)),
                Column(title: "SUBJECT", value: patch.subject),
                Column(title: "FILES", value: patch.changes.count, align: .right),
                Column(title: "ADDED", value: patch.changes.reduce(0) { $0 + ($1.added ?? 0) }, align: .right),
                Column(title: "REMOVED", value: patch.changes.reduce(0) { $0 + ($1.removed ?? 0) }, align: .right),
            ]
        }
        return TableText.standardOutput.text(table, of: patches)
    }
}
