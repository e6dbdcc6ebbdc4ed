// SPDX-License-Identifier: GPL-2.0-only

import KernelLab

/// The kernel that a command is about.
enum KernelPlan: Sendable {
    /// One that the user brought.
    case brought(KernelImage)
    /// One that is built so.
    case built(SourcePlan, KernelConfiguration)

    /// What it is built from, for reports: "v7.2", a tree's path, or the image's.
    var base: String {
        switch self {
        case .brought(let image): image.image.string
        case .built(let source, _):
            switch source.request {
            case .base(let base): base
            case .tree(let path), .inPlace(let path): path.string
            }
        }
    }

    /// The series, for reports: "v7.2, 3 patches"; nil where none is applied.
    var series: String? {
        switch self {
        case .built(let source, _):
            switch source.series {
            case .chosen(let series) where series.isEmpty: nil
            case .chosen(let series): "\(series.name), \(series.patches.count) patches"
            case .ofVersion: "of the tree's version"
            }
        case .brought: nil
        }
    }
}
