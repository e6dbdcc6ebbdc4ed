// SPDX-License-Identifier: GPL-2.0-only

import Foundation
import SystemPackage
import Testing

@testable import KernelLab

@Suite struct BuildVariantsTests {
    static let path = ShippedMachine.path.removingLastComponent().removingLastComponent()
        .appending("kernel").appending("variants.toml")

    @Test func shippedVariantsTurnOffWhatReviewersTurnOff() throws {
        let variants = try BuildVariants(path: Self.path).all
        let settings = Set(variants.flatMap(\.set))
        for symbol in [
            "USERFAULTFD", "PTE_MARKER_UFFD_WP", "NUMA_BALANCING", "TRANSPARENT_HUGEPAGE", "HUGETLBFS", "SWAP",
        ] {
            #expect(settings.contains("\(symbol)=n"))
        }
        #expect(Set(variants.map(\.arch)) == ["x86_64", "arm64", "i386"])
        #expect(variants.first?.name == "x86_64" && variants.first?.targets.contains("vmlinux") == true)
        for variant in variants {
            for fragment in variant.fragments {
                #expect(Self.path.removingLastComponent().appending(fragment).exists)
            }
        }
    }

    @Test(arguments: [
        ("name = \"no-swap\"", "name = \"no-thp\"", "no-thp"),
        ("name = \"no-swap\"", "name = \"No Swap\"", "lower-case"),
        ("set = [\"SWAP=n\"]", "set = [\"SWAP\"]", "SWAP"),
        ("about = \"no swap", "abuot = \"no swap", "about"),
    ])
    func whatIsWrongIsNamedWithItsLine(old: String, new: String, named: String) async throws {
        let text = try Self.path.text()
        let range = try #require(text.firstRange(of: old))
        let line = text[..<range.lowerBound].count { $0 == "\n" } + 1
        try await withTemporaryFolder { folder in
            let file = folder.appending("v.toml")
            try file.write(text.replacingCharacters(in: range, with: new))
            let error = #expect(throws: DescriptionError.self) { try BuildVariants(path: file) }
            #expect(error?.description.hasPrefix("\(file):\(line): ") == true)
            #expect(error?.description.contains(named) == true)
        }
    }

    @Test func aCompilerThatIsNotHereIsNamedWithItsPackage() async throws {
        let error = #expect(throws: KernelBuildError.self) {
            try BuildTools(prefix: "x86_64-pdp11-", compiler: nil, searchPath: nil)
        }
        guard case .missing(let requirements)? = error else { return }
        #expect(requirements.map(\.package) == ["gcc-x86-64-pdp11"])
    }
}
