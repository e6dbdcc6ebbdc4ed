// SPDX-License-Identifier: GPL-2.0-only

import Testing

@testable import rwp

@Suite struct ScenarioCatalogTests {
    @Test func readsTheGuestsList() {
        let list = """
            api-handshake\t\t\t\tnegotiates
            wp-fork\tanon,anon-thp,shmem\tL3 F1\troot, swap\tkeeps the arm across fork

            """
        let catalog = ScenarioCatalog(list: list)
        #expect(
            catalog.entries == [
                .init(name: "api-handshake", kinds: [], rules: [], needs: [], summary: "negotiates"),
                .init(
                    name: "wp-fork",
                    kinds: ["anon", "anon-thp", "shmem"],
                    rules: ["L3", "F1"],
                    needs: ["root", "swap"],
                    summary: "keeps the arm across fork"
                ),
            ]
        )
        #expect(catalog.resultCount == 4)
    }
}
