// SPDX-License-Identifier: GPL-2.0-only

import Scenarios
import Testing

@Suite struct KernelRecordTests {
    private func record(_ text: String) -> KernelRecord? { KernelRecord(Array(text.utf8)) }

    @Test func fieldsOfARecord() throws {
        let parsed = try #require(record("14,339,5140900,-,caller=T1;a;b\n SUBSYSTEM=acpi\n"))
        #expect(parsed.facility == 1 && parsed.level == 6 && parsed.sequence == 339 && parsed.text == "a;b")
        #expect(record("6,1,2,-;x")?.text == "x")
    }

    @Test(arguments: ["", "no record", "6,1;x", "a,b,c,d;x", "6,1,2,-"])
    func whatIsNoRecord(text: String) {
        #expect(record(text) == nil)
    }

    @Test(arguments: [
        "WARNING: mm/userfaultfd.c:100 at foo+0x1/0x2, CPU#1: init/46",
        "WARNING: possible circular locking dependency detected",
        "INFO: possible recursive locking detected",
        "BUG: KASAN: slab-use-after-free in foo+0x1/0x2",
        "BUG: kernel NULL pointer dereference, address: 0000000000000000",
        "BUG: Bad page state in process init  pfn:12345",
        "BUG: Bad rss-counter state mm:00000000 type:MM_ANONPAGES val:1",
        "watchdog: BUG: soft lockup - CPU#0 stuck for 22s! [init:46]",
        "kernel BUG at mm/page_table_check.c:70!", "Oops: Oops: 0002 [#1] SMP",
        "INFO: task init:45 blocked for more than 20 seconds.",
        "rcu: INFO: rcu_preempt detected stalls on CPUs/tasks:",
        "rcu: INFO: rcu_preempt self-detected stall on CPU",
        "list_add corruption. prev->next should be next",
        "UBSAN: array-index-out-of-bounds in mm/foo.c:1:2",
        "Unable to handle kernel paging request at virtual address 0000",
        "get_swap_device: Bad swap file entry 3fff", "Kernel panic - not syncing: x",
    ])
    func splats(text: String) {
        #expect(record("4,1,2,-;\(text)")?.isSplat == true)
    }

    @Test(arguments: [
        "uffd-selftest: wp-fork.anon", "Memory failure: 0x12: recovery action for clean LRU page: Recovered",
        "note: init[46] exited with irqs disabled", "x86/fpu: x87 FPU will use FXSAVE",
        "Spectre V2 : WARNING is not at the beginning", "zram: Added device: zram0", "debug: BUGs are none",
        " ? page_table_check_set+0x7f/0x130", " list_del corruption is a function's name",
    ])
    func ordinaryLines(text: String) {
        #expect(record("6,1,2,-;\(text)")?.isSplat == false)
    }

    @Test func whatAProcessWroteIsNoSplat() {
        #expect(record("12,1,2,-;WARNING: written by a user")?.isSplat == false)
    }

    @Test func taintOfFaultsAlone() {
        // Out-of-tree, staging, user and test taints are no faults.
        for bit in [0, 1, 6, 10, 12, 13, 18] { #expect(KernelTaint.faults >> bit & 1 == 0) }
        for bit in [5, 7, 9, 14] { #expect(KernelTaint.faults >> bit & 1 == 1) }
        #expect(KernelTaint.words(1 << 9 | 1 << 5) == "the kernel is tainted now: bad page, warning")
    }
}

@Suite struct ProcessEntryTests {
    @Test func aNameMayHoldParenthesesAndBlanks() throws {
        let entry = try #require(ProcessEntry(stat: "12 (a) S 9 (b) Z 7 12 12 0 -1"))
        #expect(entry.identifier == 12 && entry.command == "a) S 9 (b" && entry.parent == 7 && !entry.isAlive)
        #expect(ProcessEntry(stat: "12 (sh) D 7 12 12")?.isAlive == true)
    }

    @Test(arguments: ["", "12", "12 sh S 1", "x (sh) S 1", "12 (sh)", ") 12 ("])
    func brokenLines(line: String) {
        #expect(ProcessEntry(stat: line) == nil)
    }
}
