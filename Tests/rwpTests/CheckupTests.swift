// SPDX-License-Identifier: GPL-2.0-only

import Foundation
import KernelLab
import Testing

@testable import rwp

@Suite struct CheckupTests {
    private func checkup(found: String?, isNeeded: Bool) -> Checkup {
        let finding = Checkup.Finding(
            name: "flex",
            found: found,
            purpose: "build the kernel",
            isNeeded: isNeeded,
            wayOut: "apt-get install flex"
        )
        return Checkup(findings: [finding], notes: ["using TCG"])
    }

    @Test func saysWhatIsMissingAndHowToGetIt() {
        let sick = checkup(found: nil, isNeeded: true)
        #expect(!sick.isHealthy)
        let text = DoctorCommand.text(sick, ink: .plain)
        #expect(text.contains("flex MISSING build the kernel"))
        #expect(text.contains("Missing:\n  flex: apt-get install flex\n"))
        #expect(text.hasSuffix("Not ready.\n"))
    }

    @Test func whatIsOnlyUsefulIsNoObstacle() {
        let text = DoctorCommand.text(checkup(found: nil, isNeeded: false), ink: .plain)
        #expect(checkup(found: nil, isNeeded: false).isHealthy)
        #expect(text.contains("Useful, but not needed:\n  flex: apt-get install flex\n"))
        #expect(text.hasSuffix("Ready.\n"))
        #expect(DoctorCommand.text(checkup(found: "2.6.4", isNeeded: true), ink: .plain).contains("2.6.4"))
    }

    /// What a message tells the user to install, scripts/setup installs.
    @Test func setupInstallsWhatProgramsNeed() throws {
        let root = try PackageRoot.find()
        let setup = try String(
            contentsOfFile: root.path.appending("scripts").appending("setup").string,
            encoding: .utf8
        )
        // Every Debian machine has these.
        let essential: Set = ["apt", "coreutils", "dash", "dpkg", "tar"]
        let packages = Set(Programs.all.map(\.package).filter { !$0.contains(" ") }).subtracting(essential)
        for package in packages {
            #expect(setup.contains("\n    \(package):"), "scripts/setup does not install \(package)")
        }
    }
}
