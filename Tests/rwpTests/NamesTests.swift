// SPDX-License-Identifier: GPL-2.0-only

import KernelLab
import Testing

@testable import rwp

@Suite struct NamesTests {
    private let names = ["api-handshake", "wp-sync", "wp-async", "missing-copy", "rwp-async-read"]

    @Test(arguments: [
        ("wp-snyc", "wp-sync"), ("wp-sink", "wp-sync"), ("WP-SYNC", "wp-sync"), ("missingcopy", "missing-copy"),
        ("wp-asyn", "wp-async"), ("api-handshak", "api-handshake"),
    ])
    func findsTheNearest(misspelt: String, meant: String) {
        #expect(NearestName.of(misspelt, among: names) == meant)
    }

    @Test func proposesNothingForSomethingElse() {
        #expect(NearestName.of("kselftest", among: names) == nil)
        #expect(NearestName.of("x", among: []) == nil)
    }

    @Test func countsEdits() {
        #expect(NearestName.distance("", "abc") == 3)
        #expect(NearestName.distance("abc", "acb") == 1)
        #expect(NearestName.distance("kitten", "sitting") == 3)
    }

    @Test func takesNamesApart() {
        let name = ScenarioName("rwp-async-read.shmem-thp")
        #expect(name.subject == "rwp-async")
        #expect(name.scenario == "rwp-async-read")
        #expect(name.kind == "shmem-thp")
        #expect(ScenarioName("api-bad-calls").kind == nil)
    }

    @Test func speaksDurations() {
        #expect(Duration.milliseconds(440).spoken == "0.4 s")
        #expect(Duration.milliseconds(9_960).spoken == "10 s")
        #expect(Duration.seconds(185).spoken == "3 min 05 s")
        #expect(Duration.seconds(3725).spoken == "1 h 02 min")
        #expect(Duration.seconds(3725).clock == "1:02:05")
        #expect(Duration.milliseconds(7_900).clock == "0:07")
    }

    @Test func groupsThousands() {
        #expect([0, 999, 1000, 2_650_000, -1234].map(\.grouped) == ["0", "999", "1,000", "2,650,000", "-1,234"])
    }
}
