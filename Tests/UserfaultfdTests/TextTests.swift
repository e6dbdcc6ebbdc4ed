// SPDX-License-Identifier: GPL-2.0-only

import Testing
import Userfaultfd

@Suite struct TextTests {
    @Test(arguments: [("12", 12), ("-7", -7), ("0", 0), ("9223372036854775807", Int.max)])
    func numbers(text: String, expected: Int) {
        #expect(text.number == expected)
    }

    @Test(arguments: ["", "-", "1a", " 1", "+1", "9223372036854775808", "٣"])
    func noNumbers(text: String) {
        #expect(text.number == nil)
    }

    @Test func partsOfTexts() {
        #expect(" a\tb  c ".words == ["a", "b", "c"])
        #expect("a,,b,".parts(separatedBy: 0x2C) == ["a", "", "b", ""])
        #expect("HugePages_Free: 3".includes("Free"))
        #expect(!"Free".includes("HugePages_Free"))
        #expect("abc".includes(""))
        #expect("vm.ko".ends(with: ".ko") && !"vm.ko.xz".ends(with: ".ko"))
        #expect("node12".rest(after: "node") == "12")
        #expect("code12".rest(after: "node") == nil)
        #expect("abc".isSame(as: "abc") && !"abc".isSame(as: "ab"))
    }

    @Test func namesOfNumbers() {
        #expect(Errno.invalid.name == "EINVAL")
        #expect(Errno(code: 512).name == "errno 512")
        #expect(signalName(11) == "SIGSEGV")
        #expect(signalName(40) == "signal 40")
        #expect(hex(0x7F00_1000) == "0x7f001000")
        #expect(Features([.readWriteProtect, .readWriteProtectAsync]).description == "RWP RWP_ASYNC")
        #expect(Features(rawValue: 1 << 40).description == "bit_40")
    }

    @Test func filesAsTheKernelHasThem() throws {
        #expect(try FileAccess.line("/proc/self/stat").contains("("))
        #expect(try FileAccess.number("/proc/sys/kernel/pid_max") > 0)
        #expect(FileAccess.numbers(in: "/proc").contains(1))
        #expect(FileAccess.names(in: "/none").isEmpty)
        let failure = #expect(throws: Failure.self) { try FileAccess.read("/none") }
        #expect(failure?.errno == .noEntry)
        #expect(failure?.message == "open of /none: ENOENT")
    }
}
