// SPDX-License-Identifier: GPL-2.0-only

import Foundation
import KernelLab
import SystemPackage

/// Where it is said what fails on a kernel, and which of it counts.
struct ExpectationPlan: Sendable {
    var file: FilePath
    var flavour: KernelFlavour
}

extension Lab {
    /// The folder of the files, one a base.
    private var expectedFolder: FilePath { root.kernelPatches.appending("expected") }

    /// What `--expect` asks for; without it the file of the base, for a kernel that is built from it without a series.
    ///
    /// - Throws: `CommandLineError.unreadable` for a file that is not there.
    func expectationPlan(_ option: String?, kernel: KernelOptions) throws -> ExpectationPlan? {
        if option == "none" { return nil }
        let flavour = kernel.build.flavor
        if let option {
            guard FileManager.default.isReadableFile(atPath: option) else {
                throw CommandLineError.unreadable(option, option: "--expect")
            }
            return ExpectationPlan(file: FilePath(option), flavour: flavour)
        }
        guard kernel.kernel == nil, kernel.source.tree == nil, kernel.source.series == "none" else { return nil }
        let base = try Base(kernel.source.base ?? SourceOptions.defaultBase)
        let file = expectedFolder.appending("v\(base.series).toml")
        return FileManager.default.fileExists(atPath: file.string) ? ExpectationPlan(file: file, flavour: flavour) : nil
    }

    /// The expectations, held against the scenarios of the guest program.
    func expectations(_ plan: ExpectationPlan?, of program: FilePath) async throws -> Expectations? {
        guard let plan else { return nil }
        return try expectations(in: plan.file, of: try await ScenarioCatalog.of(program)).of(plan.flavour)
    }

    /// The expectations for a base, "v7.3".
    ///
    /// - Throws: `CommandLineError.unknownName` where there is no file for it.
    func expectations(named name: String, of catalog: ScenarioCatalog) throws -> Expectations {
        let names = ((try? FileManager.default.contentsOfDirectory(atPath: expectedFolder.string)) ?? [])
            .filter { $0.hasSuffix(".toml") }.map { String($0.dropLast(5)) }.sorted()
        guard names.contains(name) else {
            throw CommandLineError.unknownName(name, kind: "file of expected failures", known: names)
        }
        return try expectations(in: expectedFolder.appending("\(name).toml"), of: catalog)
    }

    private func expectations(in file: FilePath, of catalog: ScenarioCatalog) throws -> Expectations {
        try Expectations(
            path: file,
            contract: try Contract(path: root.kernelPatches.appending("rules.toml")),
            results: catalog.resultNames
        )
    }
}
