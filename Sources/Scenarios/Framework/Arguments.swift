// SPDX-License-Identifier: GPL-2.0-only

import Userfaultfd

/// What the command line of `uffd-selftest` asks for.
public struct Arguments: Sendable {
    /// Which scenarios run; none is all.
    public var patterns: [String] = []
    /// Which do not.
    public var skips: [String] = []
    /// List instead of run.
    public var list = false
    /// List the hidden scenarios too.
    public var all = false
    /// Say what there is to say and end.
    public var help = false
    /// As PID 1: a shell on the console instead of the scenarios.
    public var shell = false
    /// What the watchdogs' limits are multiplied with, for slow machines.
    public var timeoutScale = 1
    /// How many times each instance runs.
    public var repeats = 1
    /// How long scenarios of load run, and the seed of their choices.
    public var load = Load()
    /// As PID 1: the size of the swap on zram in MiB; 0 is none.
    public var swapMegabytes = 256
    /// As PID 1: how many huge pages of the default size each NUMA node gets.
    public var hugePages = 32
    /// The file that lists the programs to run instead of scenarios; nil: scenarios run.
    public var programList: String?
    /// What to break on purpose, for tests of the host.
    public var sabotage: Sabotage?
    /// The last option given that means something to PID 1 alone; nil where there was none.
    public private(set) var initOption: String?
    /// The last option given that means something to an ordinary command alone; nil where there was none.
    public private(set) var commandOption: String?

    /// Ways to break the run as a whole, for tests of what watches it.
    public enum Sabotage: Sendable {
        /// PID 1 hangs before its first line.
        case hangAtStart
        /// PID 1 hangs instead of powering off.
        case hangAtEnd
        /// The stream ends in the middle of the first result line.
        case cutStream
        /// The plan promises one result more than there are.
        case wrongPlan
    }

    /// Parses the words after the program's name; a failure tells which word is wrong, and the nearest right one.
    public init(_ words: [String]) throws(Failure) {
        var rest = words[...]
        while let word = rest.popFirst() {
            guard word.begins(with: "-") else {
                patterns.append(word)
                continue
            }
            let (name, attached) = Arguments.split(word)
            guard let option = Arguments.options.first(where: { $0.name.text.isSame(as: name) }) else {
                throw Arguments.unknown(name)
            }
            if option.value == nil {
                if attached != nil { throw Failure("option \(name) takes no value") }
                try set(option, "")
            } else if let value = attached ?? rest.popFirst() {
                try set(option, value)
            } else {
                throw Failure("option \(name) needs a value")
            }
        }
        if programList != nil && !(patterns.isEmpty && skips.isEmpty && !list && !shell) {
            throw Failure("option --run runs programs, so patterns, --skip, --list and --shell mean nothing beside it")
        }
    }

    private struct Option {
        let name: StaticString
        let value: StaticString?
        let help: StaticString
        let kind: Kind
        init(_ name: StaticString, _ value: StaticString?, _ kind: Kind, _ help: StaticString) {
            (self.name, self.value, self.help, self.kind) = (name, value, help, kind)
        }
    }

    private enum Kind {
        case list, all, skip, repeats, timeoutScale, stress, seed, run, help, swap, hugePages, shell, hang, cut, badPlan
    }

    private static let options: [Option] = [
        Option("--list", nil, .list, "list scenarios: name, kinds, rules, needs, summary; between them a tab"),
        Option("--all", nil, .all, "with --list: the hidden ones too, which test the harness"),
        Option("--skip", "PATTERN", .skip, "leave out what matches; may be given more than once"),
        Option("--repeat", "N", .repeats, "run each N times; all must pass"),
        Option("--timeout-scale", "N", .timeoutScale, "multiply the watchdogs' limits"),
        Option(
            "--run",
            "FILE",
            .run,
            "run programs that FILE lists: name, seconds, path, arguments; between them a tab"
        ),
        Option("--stress", "SECONDS", .stress, "run the stress scenarios too, so long on each kind of memory"),
        Option("--seed", "N", .seed, "of the choices that stress and fuzz make (1)"),
        Option("--help", nil, .help, "this text"),
        Option("--swap-mb", "N", .swap, "as PID 1: MiB of swap on zram (256; 0 is none)"),
        Option("--huge-pages", "N", .hugePages, "as PID 1: huge pages for each NUMA node (32)"),
        Option("--shell", nil, .shell, "as PID 1: set up the machine and run /bin/sh on the console"),
        Option("--harness-hang", "WHEN", .hang, "test of the harness, as PID 1: hang at 'init' or 'poweroff'"),
        Option("--harness-cut", nil, .cut, "test of the harness: end in the middle of a line"),
        Option("--harness-badplan", nil, .badPlan, "test of the harness: promise one result too many"),
    ]

    private mutating func set(_ option: Option, _ value: String) throws(Failure) {
        switch option.kind {
        case .list, .all, .help: commandOption = option.name.text
        case .shell, .swap, .hugePages, .hang: initOption = option.name.text
        case .skip, .repeats, .timeoutScale, .stress, .seed, .run, .cut, .badPlan: break
        }
        switch option.kind {
        case .list: list = true
        case .all: all = true
        case .help: help = true
        case .shell: shell = true
        case .cut: sabotage = .cutStream
        case .badPlan: sabotage = .wrongPlan
        case .run: programList = value
        case .skip: skips.append(value)
        case .repeats: repeats = try Arguments.number(option, value, 1...1_000_000)
        case .timeoutScale: timeoutScale = try Arguments.number(option, value, 1...1000)
        case .stress: load.seconds = try Arguments.number(option, value, 1...1_000_000)
        case .seed: load.seed = UInt64(try Arguments.number(option, value, 0...Int.max))
        case .swap: swapMegabytes = try Arguments.number(option, value, 0...1_048_576)
        case .hugePages: hugePages = try Arguments.number(option, value, 0...1_048_576)
        case .hang:
            if value.isSame(as: "init") {
                sabotage = .hangAtStart
            } else if value.isSame(as: "poweroff") {
                sabotage = .hangAtEnd
            } else {
                throw Failure("option --harness-hang: '\(value)' is neither init nor poweroff")
            }
        }
    }

    private static func number(_ option: Option, _ text: String, _ range: ClosedRange<Int>) throws(Failure) -> Int {
        guard let number = text.number, range.contains(number) else {
            let limits = "\(range.lowerBound) to \(range.upperBound)"
            throw Failure("option \(option.name): '\(text)' is not a number from \(limits)")
        }
        return number
    }

    /// Splits "--name=value".
    private static func split(_ word: String) -> (name: String, value: String?) {
        let bytes = Array(word.utf8)
        guard let equals = bytes.firstIndex(of: UInt8(ascii: "=")) else { return (word, nil) }
        return (
            String(decoding: bytes[..<equals], as: UTF8.self), String(decoding: bytes[(equals + 1)...], as: UTF8.self)
        )
    }

    private static func unknown(_ name: String) -> Failure {
        let nearest = nearestName(to: name, among: options.map { $0.name.text }) ?? "--help"
        return Failure("unknown option '\(name)'; the nearest is '\(nearest)'")
    }

    /// What `--help` prints.
    public static var helpText: String {
        var text = """
            uffd-selftest: drives the kernel's userfaultfd and reports in KTAP.

            Usage: uffd-selftest [options] [patterns...]

            A pattern is a scenario (wp-fork), one of its memory kinds (wp-fork.anon-thp) or a glob ('wp-*', '*.hugetlb').
            Without one, every scenario runs. Scenarios that need what is not here are skipped, with the reason.

            Options:

            """
        for option in options {
            var left = "  \(option.name)"
            if let value = option.value { left += " \(value)" }
            while left.utf8.count < 26 { left += " " }
            text += left + option.help.text + "\n"
        }
        text += """

            Exit status: 0 all passed or were skipped, 1 a scenario failed, 2 the command line is wrong.

            Examples:
              sudo ./uffd-selftest                 everything
              sudo ./uffd-selftest 'wp-*.anon'     write protection of anonymous memory
              ./uffd-selftest --list               what there is

            """
        return text
    }
}
