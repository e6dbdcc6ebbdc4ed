// SPDX-License-Identifier: GPL-2.0-only

import Foundation
import SystemPackage

/// Builds a source as it is after each patch of a series, as each of some variants.
public struct SeriesCheck: Sendable {
    /// The source with the series applied, a commit a patch.
    public var source: SourceTree
    /// The series.
    public var series: PatchSeries
    /// The variants to build.
    public var variants: [BuildVariant]
    /// The folder of the variants' Kconfig fragments.
    public var fragments: FilePath
    /// Which patches, by their place in the series from 1; nil for all.
    public var selection: Set<Int>?
    /// The variant for which touched files are compiled with W=1 and given to sparse; nil to leave out this and
    /// checkpatch.
    public var lint: BuildVariant?
    /// Where everything is kept.
    public var cache: KernelCache
    /// Where progress and notes go.
    public var events: EventSink

    /// Describes a check; nothing is done yet.
    public init(
        source: SourceTree,
        series: PatchSeries,
        variants: [BuildVariant],
        fragments: FilePath,
        selection: Set<Int>? = nil,
        lint: BuildVariant? = nil,
        cache: KernelCache,
        events: EventSink
    ) {
        self.source = source
        self.series = series
        self.variants = variants
        self.fragments = fragments
        self.selection = selection
        self.lint = lint
        self.cache = cache
        self.events = events
    }

    /// Does it all. What was compiled before, from the same source as the same variant, is not compiled again.
    ///
    /// - Throws: `KernelBuildError.missing` for a compiler that is not here, before anything is built; `StorageError`.
    public func run() async throws -> SeriesReport {
        let tree = try await WorkingTree.take(for: "series", of: source, cache: cache, events: events)
        defer { tree.release() }
        var columns = try await columns(in: tree)
        let rows = [0] + selected
        let total = columns.count * rows.count + (lint == nil ? 0 : selected.count)
        events.send(.started(.check, detail: "\(rows.count - 1) patches, \(columns.count) builds of each"))
        var done = 0
        for index in columns.indices {
            for row in rows {
                let cell = try await cell(row, columns[index], base: columns[index].base, tree)
                columns[index].cells.append(cell)
                done += 1
                events.send(.advanced(.check, done: done, total: total, unit: "builds"))
            }
        }
        var report = SeriesReport(patches: try await patches(rows), columns: columns.flatMap(\.reports))
        if lint != nil { report.columns.append(try await style(tree)) }
        events.send(.finished(.check, detail: "\(total) done"))
        return report
    }

    private var selected: [Int] {
        series.patches.indices.map { $0 + 1 }.filter { selection?.contains($0) ?? true }
    }

    // MARK: Columns

    /// One build after each patch, and what came of it.
    private struct Column {
        var name: String
        var build: VariantBuild
        var isLint: Bool
        var cells: [SeriesReport.Cell] = []

        /// The warnings of the source without patches.
        var base: [CompilerWarning] { cells.first?.warnings ?? [] }

        /// As the report has it: a lint is two columns, for it is done in one build.
        var reports: [SeriesReport.Column] {
            guard isLint else { return [SeriesReport.Column(name: name, cells: cells)] }
            return [("W=1", CompilerWarning.Tool.compiler), ("sparse", .sparse)].map { name, tool in
                SeriesReport.Column(name: name, cells: cells.map { $0.only(tool) })
            }
        }
    }

    private func columns(in tree: WorkingTree) async throws -> [Column] {
        let records = try BuildRecords(cache: cache)
        var columns: [Column] = []
        var missing: Set<BuildRequirement> = []
        for variant in variants {
            do {
                let build = try await VariantBuild(variant, in: tree, fragments: fragments, records: records)
                columns.append(Column(name: variant.name, build: build, isLint: false))
            } catch KernelBuildError.missing(let requirements) {
                missing.formUnion(requirements)
            }
        }
        if let lint {
            if (try? Tool.find("sparse")) == nil {
                missing.insert(.sparse)
            }
            let build = try await VariantBuild(
                lint,
                in: tree,
                fragments: fragments,
                records: records,
                lintTargets: try await touchedObjects(tree, arch: lint.arch)
            )
            columns.append(Column(name: "lint", build: build, isLint: true))
        }
        guard missing.isEmpty else { throw KernelBuildError.missing(missing.sorted { $0.name < $1.name }) }
        return columns
    }

    /// The objects of every C file that the series changes and this architecture could compile.
    private func touchedObjects(_ tree: WorkingTree, arch: String) async throws -> [String] {
        guard let first = tree.commits.first, let last = tree.commits.last else { return [] }
        let foreign = ["tools/", "Documentation/", "samples/", "scripts/"]
        let own = "arch/" + (arch.hasPrefix("x86") || arch == "i386" ? "x86" : arch) + "/"
        return try await tree.files(from: first, to: last)
            .filter { $0.hasSuffix(".c") && !foreign.contains(where: $0.hasPrefix) }
            .filter { !$0.hasPrefix("arch/") || $0.hasPrefix(own) }
            .map { $0.dropLast(2) + ".o" }
    }

    // MARK: Cells

    private func cell(
        _ row: Int,
        _ column: Column,
        base: [CompilerWarning],
        _ tree: WorkingTree
    ) async throws -> SeriesReport.Cell {
        let commit = tree.commits[row]
        let isLast = row == tree.commits.count - 1
        let log = column.build.log(of: commit, isLast: isLast)
        let known = column.build.record(of: commit, isLast: isLast)
        let record: BuildRecord
        if let known { record = known } else { record = try await column.build.build(commit, isLast: isLast) }
        let new = row == 0 ? [] : record.warnings.new(since: base)
        let cell = SeriesReport.Cell(
            errors: record.errors,
            warnings: record.warnings,
            complaints: new.map(\.description),
            newWarnings: new,
            log: log
        )
        if known == nil {
            let place = row == 0 ? "base" : Self.number(row)
            events.send(.note("\(place) \(column.name): \(cell.verdict), \(record.seconds) s"))
        }
        return cell
    }

    private func style(_ tree: WorkingTree) async throws -> SeriesReport.Column {
        let check = StyleCheck(tree: tree.path)
        var cells = [SeriesReport.Cell()]
        for row in selected {
            cells.append(SeriesReport.Cell(complaints: try await check.complaints(about: series.patches[row - 1])))
        }
        return SeriesReport.Column(name: "checkpatch", cells: cells)
    }

    private func patches(_ rows: [Int]) async throws -> [SeriesReport.Patch] {
        let summaries = try await series.summaries()
        return rows.map { row in
            row == 0
                ? SeriesReport.Patch(number: "base", subject: "the source without patches")
                : SeriesReport.Patch(number: Self.number(row), subject: summaries[row - 1].subject)
        }
    }

    private static func number(_ row: Int) -> String {
        String(repeating: "0", count: max(0, 4 - String(row).count)) + String(row)
    }
}

extension BuildRequirement {
    /// What `C=1` runs.
    static let sparse = BuildRequirement(
        name: "sparse",
        package: "sparse",
        purpose: "check types and locking",
        kind: .program,
        symbols: []
    )
}
