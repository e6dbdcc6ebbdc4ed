// SPDX-License-Identifier: GPL-2.0-only

/// The verdict of one result.
public enum Verdict: String, Sendable, Codable, Hashable, CaseIterable {
    case passed, failed, skipped
    /// It failed, as the known differences of this kernel say; no line of the guest's means this.
    case expected

    /// Those that the guest gives, in the order of its totals.
    static let ofGuest: [Verdict] = [.passed, .failed, .skipped]

    /// For people, behind a count: "3 failed as expected".
    public var words: String { self == .expected ? "failed as expected" : rawValue }
}

/// What one line of a KTAP stream says (`Documentation/dev-tools/ktap.rst`), plus the two lines of ours that tell a
/// live screen which scenario runs.
public enum KTAPEvent: Sendable, Hashable {
    /// `KTAP version 1`.
    case version(Int)
    /// `1..N`.
    case plan(Int)
    /// `# running NAME`: the guest starts a scenario.
    case running(name: String)
    /// `ok N NAME` or `not ok N NAME`, with the reason of a `# SKIP reason`.
    case result(number: Int, name: String, verdict: Verdict, reason: String?)
    /// `# text`: a diagnostic of the scenario that runs.
    case diagnostic(String)
    /// `Bail out! reason`.
    case bailOut(String)
    /// A line that KTAP does not know.
    case unknown(String)
}
