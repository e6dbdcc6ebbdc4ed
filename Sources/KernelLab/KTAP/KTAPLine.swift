// SPDX-License-Identifier: GPL-2.0-only

/// A directive after the hash sign of a result line (`Documentation/dev-tools/ktap.rst`, "Test case result lines";
/// XPASS is kselftest's own).
public enum KTAPDirective: String, Sendable, Hashable, CaseIterable {
    case skip = "SKIP"
    case todo = "TODO"
    case xfail = "XFAIL"
    case xpass = "XPASS"
    case timeout = "TIMEOUT"
    case error = "ERROR"
}

extension KTAPEvent {
    /// Parses one line without its end and without the indentation of its level; never fails: what KTAP does not know is
    /// `.unknown`.
    ///
    /// Accepted beyond KTAP 1, because kernel tests print it: `TAP version 13` and `14`, `ok 1 - name`, the name
    /// after the directive (`ok 1 # SKIP name`), and a reason after the plan (`1..0 # SKIP reason`).
    public init(line: some StringProtocol) {
        let parsed =
            Self.parseComment(line) ?? Self.parseResult(line) ?? Self.parsePlan(line) ?? Self.parseVersion(line)
            ?? Self.parseBailOut(line)
        self = parsed ?? .unknown(String(line))
    }

    private static func parseComment(_ line: some StringProtocol) -> KTAPEvent? {
        guard line.first == "#" else { return nil }
        var text = line.dropFirst()
        if text.first == " " { text = text.dropFirst() }
        let name = text.dropFirst("running ".count)
        if text.hasPrefix("running "), !name.isEmpty, !name.contains(" ") {
            return .running(name: String(name))
        }
        return .diagnostic(String(text))
    }

    private static func parseVersion(_ line: some StringProtocol) -> KTAPEvent? {
        for prefix in ["KTAP version ", "TAP version "] where line.hasPrefix(prefix) {
            return number(line.dropFirst(prefix.count)).map(KTAPEvent.version)
        }
        return nil
    }

    private static func parsePlan(_ line: some StringProtocol) -> KTAPEvent? {
        guard line.hasPrefix("1..") else { return nil }
        let (count, comment) = splitComment(line.dropFirst(3))
        guard let count = number(trim(count)) else { return nil }
        // A plan of none may say why; any other text after a plan is not KTAP.
        return comment == nil || count == 0 ? .plan(count) : nil
    }

    private static func parseBailOut(_ line: some StringProtocol) -> KTAPEvent? {
        line.hasPrefix("Bail out!") ? .bailOut(trim(line.dropFirst("Bail out!".count))) : nil
    }

    private static func parseResult(_ line: some StringProtocol) -> KTAPEvent? {
        let isOK = line.hasPrefix("ok ")
        guard isOK || line.hasPrefix("not ok ") else { return nil }
        let rest = line.dropFirst(isOK ? 3 : 7)
        let digits = rest.prefix { $0.isASCII && $0.isNumber }
        let afterNumber = rest.dropFirst(digits.count)
        guard let number = number(digits), afterNumber.isEmpty || afterNumber.first == " " else { return nil }

        var (name, comment) = splitComment(afterNumber)
        name = trim(name)
        if name.hasPrefix("- ") { name = trim(name.dropFirst(2)) }
        let (directive, text) = splitDirective(comment)
        if name.isEmpty { name = text ?? "" }
        let (verdict, reason) = judge(isOK: isOK, directive: directive, text: text)
        return .result(number: number, name: name, verdict: verdict, reason: reason)
    }

    /// An expected failure is neither a pass nor news: like pytest's JUnit reports, we count it as skipped with the reason.
    /// XPASS and unknown directives fall back to ok or not ok, as ktap.rst demands.
    private static func judge(isOK: Bool, directive: KTAPDirective?, text: String?) -> (Verdict, String?) {
        let word = directive.map { text == nil ? $0.rawValue : "\($0.rawValue): \(text ?? "")" }
        switch directive {
        case .skip: return (.skipped, text)
        case .xfail: return (.skipped, word)
        case .todo: return (isOK ? .passed : .skipped, word)
        case .timeout, .error: return (.failed, word)
        case .xpass: return (isOK ? .passed : .failed, word)
        case nil: return (isOK ? .passed : .failed, text)
        }
    }

    private static func splitDirective(_ comment: String?) -> (KTAPDirective?, text: String?) {
        guard let comment, !comment.isEmpty else { return (nil, nil) }
        let word = comment.prefix { $0.isASCII && $0.isLetter }
        guard let directive = KTAPDirective(rawValue: word.uppercased()) else { return (nil, comment) }
        let text = trim(comment.dropFirst(word.count).drop { $0 == ":" || $0 == " " })
        return (directive, text.isEmpty ? nil : text)
    }

    /// Splits at the first hash sign that no backslash escapes (TAP 14 lets a description hold `\#`).
    private static func splitComment(_ text: some StringProtocol) -> (String, comment: String?) {
        var before = ""
        var escaped = false
        for index in text.indices {
            let character = text[index]
            if escaped {
                if character != "#" { before.append("\\") }
                before.append(character)
                escaped = false
            } else if character == "\\" {
                escaped = true
            } else if character == "#" {
                return (before, trim(text[text.index(after: index)...]))
            } else {
                before.append(character)
            }
        }
        if escaped { before.append("\\") }
        return (before, nil)
    }

    /// A count of tests; nobody has a milliard of them, and sums of such numbers cannot overflow.
    private static func number(_ digits: some StringProtocol) -> Int? {
        guard (1...9).contains(digits.utf8.count) else { return nil }
        return digits.utf8.allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) } ? Int(digits) : nil
    }

    private static func trim(_ text: some StringProtocol) -> String {
        let start = text.drop { $0 == " " || $0 == "\t" }
        let end = start.lastIndex { $0 != " " && $0 != "\t" }
        return end.map { String(start[...$0]) } ?? ""
    }
}
