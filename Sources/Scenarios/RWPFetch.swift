// SPDX-License-Identifier: GPL-2.0-only

import CUserfaultfd
import Userfaultfd

/// Instruction fetches from armed pages: they trap as reads do, and the pages come back executable (rules F1, F2, P2, L6).
enum RWPFetch {
    static let scenarios: [Scenario] = [
        scenario(
            "rwp-fetch-sync",
            "a call into an armed page blocks with one message that is no WRITE; resolved, the page is executable",
            rules: "F1 P2 L6",
            async: false
        ),
        scenario(
            "rwp-fetch-async",
            "a call into an armed page goes on, and the page is accessed and executable",
            rules: "F2 P2 L6",
            async: true
        ),
    ]

    private static func scenario(
        _ name: StaticString,
        _ summary: StaticString,
        rules: StaticString,
        async: Bool
    ) -> Scenario {
        Scenario(name, summary, rules: rules, on: MemoryKind.all, needs: Need.rwp) { (context) throws(Failure) in
            let protected = try Protected(context, async: async)
            let memory = protected.memory
            // Between the words of the pattern.
            let places = (0..<4).map { memory.address(memory.firstPage($0)) + 64 }
            for place in places { cuffd_store_return(place) }
            try protected.showTrap()
            try memory.protect(memory.range, PROT_READ | PROT_EXEC)
            try protected.armAll()
            let caller = try Thread { () throws(Failure) in cuffd_call(places[1]) }
            if !async {
                try protected.expectMessage(1, .read)
                try context.expect(!caller.isFinished, "the call went on before its page was resolved")
                try protected.resolve(1..<2)
            }
            try caller.join()
            try protected.expectAccessed([1], "called")
            try protected.resolve(2..<3)
            for chunk in 1..<3 { cuffd_call(places[chunk]) }
            try protected.expectNoMessage("calls into resolved pages")
            try protected.expectAccessed([1, 2], "called and resolved")
            try protected.uffd.unregister(memory.range)
            for place in places { cuffd_call(place) }
            try memory.check("at the end")
        }
    }
}
