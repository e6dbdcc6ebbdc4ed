// SPDX-License-Identifier: GPL-2.0-only

import KernelLab
import SystemPackage

/// A source, and what is applied to it.
struct SourcePlan: Sendable {
    /// Which patches.
    enum Series: Sendable {
        /// These; none of them is an answer too.
        case chosen(PatchSeries)
        /// The ones for the source's version, which is known when the source is there.
        case ofVersion
    }

    var request: SourceRequest
    var series: Series
}

extension Lab {
    /// What the options ask for, checked as far as it can be without fetching anything.
    func sourcePlan(_ options: SourceOptions) throws -> SourcePlan {
        let chosen = try options.series.map { SourcePlan.Series.chosen(try series($0)) }
        if let tree = options.tree {
            let path = FilePath(tree)
            return SourcePlan(request: options.inPlace ? .inPlace(path) : .tree(path), series: chosen ?? .ofVersion)
        }
        let base = try Base(options.base ?? SourceOptions.defaultBase)
        return SourcePlan(
            request: .base(base.description),
            series: try chosen ?? .chosen(series("v\(base.series)"))
        )
    }

    /// The series that a name or a folder stands for.
    func series(_ name: String) throws(SeriesError) -> PatchSeries {
        try PatchSeries.named(name, in: root.kernelPatches)
    }

    /// The source as it comes, without patches.
    func pristineTree(_ request: SourceRequest) async throws -> SourceTree {
        try await KernelSource(cache: cache, events: events).tree(of: request)
    }

    /// The source with its series applied.
    func patchedTree(_ plan: SourcePlan) async throws -> SourceTree {
        try await patchedTreeAndSeries(plan).tree
    }

    /// The source with its series applied, and the series.
    func patchedTreeAndSeries(_ plan: SourcePlan) async throws -> (tree: SourceTree, series: PatchSeries) {
        let tree = try await pristineTree(plan.request)
        let series =
            switch plan.series {
            case .chosen(let series): series
            case .ofVersion: try series("v\(tree.version.split(separator: ".").prefix(2).joined(separator: "."))")
            }
        if case .inPlace = plan.request {
            return (try await series.applyInPlace(to: tree, cache: cache, events: events), series)
        }
        return (try await series.apply(to: tree, cache: cache, events: events), series)
    }
}
