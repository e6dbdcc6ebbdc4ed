// SPDX-License-Identifier: GPL-2.0-only

import Scenarios
import Testing
import Userfaultfd

@Suite struct RequirementsTests {
    private let requirements = Requirements(isOwnMachine: false)

    private func reason(_ need: Need) -> String? {
        // The harness needs no userfaultfd, so that only the need itself is asked.
        requirements.reasonToSkip(
            Instance(Scenario("harness-need", "s", needs: [need], traps: false) { (_) throws(Failure) in }, nil)
        )
    }

    @Test func whatIsThereIsNoReason() {
        #expect(reason(.cpus(1)) == nil)
        #expect(reason(.nodes(1)) == nil)
        #expect(reason(.file("/proc/self/stat", "CONFIG_PROC_FS")) == nil)
    }

    @Test func whatIsMissingIsNamed() {
        #expect(reason(.cpus(100_000))?.contains("100000 CPUs") == true)
        #expect(reason(.nodes(100_000))?.contains("100000 NUMA nodes") == true)
        #expect(reason(.file("/proc/none", "CONFIG_NONE")) == "no /proc/none: needs CONFIG_NONE")
        #expect(reason(.ownMachine)?.contains("PID 1") == true)
    }

    @Test(.enabled(if: Requirements(isOwnMachine: false).features != nil, "userfaultfd(2) is not permitted here"))
    func featuresAreNamedAsTheKernelDoes() throws {
        let features = try #require(requirements.features)
        let unknown = Features(rawValue: 1 << 40)
        #expect(reason(.features(features)) == nil)
        #expect(reason(.features(features.union(unknown))) == "kernel lacks UFFD_FEATURE_bit_40")
        #expect(reason(.without(unknown)) == nil)
        #expect(reason(.without(.sigbus)) == "kernel has UFFD_FEATURE_SIGBUS; this is for kernels without")
    }

    @Test(arguments: [("0", 1), ("0-1", 2), ("0-2,5", 4), ("", 0), ("0,2,4-7", 6)])
    func listsOfTheKernel(list: String, count: Int) {
        #expect(Requirements.countOfList(list) == count)
    }
}
