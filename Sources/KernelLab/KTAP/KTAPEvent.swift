// SPDX-License-Identifier: GPL-2.0-only

/// The verdict of one KTAP result line.
public enum Verdict: String, Sendable, Codable, Hashable, CaseIterable {
    case passed, failed, skipped
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
