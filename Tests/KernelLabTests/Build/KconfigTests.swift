// SPDX-License-Identifier: GPL-2.0-only

import Foundation
import SystemPackage
import Testing

@testable import KernelLab

@Suite struct KconfigFragmentTests {
    private func parse(_ text: String) throws -> [KconfigRequest] {
        try KconfigFragment(parsing: text, path: "a.config").requests
    }

    @Test func readsEveryKindOfValue() throws {
        let text = """
            # a comment
            CONFIG_A=y
            CONFIG_B=m
            # CONFIG_C is not set
            CONFIG_D=-12
            CONFIG_E=0xC0
            CONFIG_F="a \\"b\\" = c"
            \tCONFIG_G=n \u{20}
            """
        #expect(try parse(text).map(\.symbol) == ["A", "B", "C", "D", "E", "F", "G"])
        #expect(try parse(text).map(\.value) == ["y", "m", "n", "-12", "0xC0", "\"a \\\"b\\\" = c\"", "n"])
    }

    @Test func readsLinesThatWindowsEnded() throws {
        let error = #expect(throws: KconfigError.self) { try parse("CONFIG_A=y\r\n\r\noops\r\n") }
        #expect(error == .syntax(.file("a.config", line: 3), text: "oops"))
    }

    @Test func optionalLastsToTheNextBlankLine() throws {
        let requests = try parse("CONFIG_A=y\n# optional: old kernels\nCONFIG_B=y\nCONFIG_C=y\n\nCONFIG_D=y\n")
        #expect(requests.map(\.isRequired) == [true, false, false, true])
    }

    @Test(arguments: [
        "CONFIG_A", "CONFIG_A=", "CONFIG_A=yes", "A=y", "CONFIG_A = y", "CONFIG_A=\"b", "config_A=y",
        "CONFIG_A=y # why",
    ])
    func refusesABadLineWithItsNumber(line: String) throws {
        let error = #expect(throws: KconfigError.self) { try parse("# fine\n\n\(line)\n") }
        #expect(error == .syntax(.file("a.config", line: 3), text: line))
        #expect(error?.exitStatus == .usage)
        #expect(error?.description.contains("a.config:3: “\(line)”") == true)
    }

    @Test func refusesAContradiction() throws {
        let error = #expect(throws: KconfigError.self) { try parse("CONFIG_A=y\nCONFIG_B=y\nCONFIG_A=m\n") }
        #expect(error?.description.contains("a.config:3: CONFIG_A=m contradicts a.config:1") == true)
    }

    @Test func missingFileIsNamed() {
        let error = #expect(throws: KconfigError.self) { try KconfigFragment(contentsOf: "/nowhere/x.config") }
        #expect(error?.description.contains("/nowhere/x.config") == true)
        #expect(error?.exitStatus == .usage)
    }

    @Test func settingsNeedNoPrefix() throws {
        let requests = try KconfigFragment(settings: ["ZRAM=m", "CONFIG_NR_CPUS=4"]).requests
        #expect(requests.map(\.symbol) == ["ZRAM", "NR_CPUS"])
        #expect(requests.map(\.origin) == [.option("ZRAM=m"), .option("CONFIG_NR_CPUS=4")])
    }

    @Test(arguments: ["ZRAM", "ZRAM=maybe", "# a comment", ""])
    func refusesABadSetting(setting: String) {
        #expect(throws: KconfigError.syntax(.option(setting), text: "CONFIG_" + setting)) {
            try KconfigFragment(settings: [setting])
        }
    }
}

@Suite struct KernelConfigurationTests {
    private func configuration(_ texts: String...) throws -> KernelConfiguration {
        KernelConfiguration(fragments: try texts.map { try KconfigFragment(parsing: $0, path: "f") })
    }

    @Test func laterFragmentWins() throws {
        let merged = try configuration("CONFIG_B=y\nCONFIG_A=y\n", "# CONFIG_A is not set\n")
        #expect(merged.text == "# CONFIG_A is not set\nCONFIG_B=y\n")
    }

    @Test func findsWhatGotLost() throws {
        let wanted = try configuration("CONFIG_A=y\nCONFIG_B=m\nCONFIG_C=n\nCONFIG_D=4\nCONFIG_E=n\nCONFIG_F=y\n")
        let config = KernelConfig(parsing: "CONFIG_A=y\nCONFIG_B=y\nCONFIG_C=y\nCONFIG_D=8\n# CONFIG_E is not set\n")
        let losses = wanted.losses(in: config)
        #expect(losses.map(\.request.symbol) == ["B", "C", "D", "F"])
        #expect(losses.map(\.value) == ["y", "y", "8", "n"])
        #expect(losses[3].description == "f:6: CONFIG_F: wanted y, got n")
    }

    @Test(arguments: KernelFlavour.allCases, Architectures.all.map(\.name))
    func projectFragmentsParse(flavour: KernelFlavour, name: String) throws {
        let architecture = try #require(Architectures.named(name))
        let configuration = try KernelConfiguration(
            folder: Self.fragments,
            architecture: architecture,
            flavour: flavour,
            settings: ["ZRAM=m"]
        )
        let values = Dictionary(uniqueKeysWithValues: configuration.requests.map { ($0.symbol, $0.value) })
        #expect(values["USERFAULTFD"] == "y")
        #expect(values["ZRAM"] == "m")
        #expect(values["PANIC_ON_OOPS"] == "n")
        #expect((values["KASAN"] == "y") == (flavour == .debug))
        #expect((values["PTE_MARKER_UFFD_WP"] == "n") == (flavour == .noMarker))
    }

    /// `qemu-images/kernel` of this package.
    static let fragments = FilePath(#filePath)
        .removingLastComponent().removingLastComponent().removingLastComponent().removingLastComponent()
        .pushing("qemu-images/kernel")
}
