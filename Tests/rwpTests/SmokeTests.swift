// SPDX-License-Identifier: GPL-2.0-only

import Testing

@testable import rwp

@Test func commandIsNamedRwp() {
    #expect(RWP.configuration.commandName == "rwp")
}
