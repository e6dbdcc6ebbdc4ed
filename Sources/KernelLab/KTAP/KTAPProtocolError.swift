// SPDX-License-Identifier: GPL-2.0-only

/// Something in a KTAP stream that breaks the protocol, so that its results cannot be trusted to be all of them.
public struct KTAPProtocolError: Sendable, Hashable, Codable, CustomStringConvertible {
    /// What kind of breach it is.
    public enum Kind: String, Sendable, Hashable, Codable {
        case missingVersion, unsupportedVersion, duplicateVersion
        case missingPlan, duplicatePlan, latePlan, planMismatch
        case numberOutOfOrder, duplicateNumber, duplicateName
        case wrongScenario, missingResult, wrongTotals
        case afterBailOut, unknownLine, lineTooLong, cutOff
    }

    /// What kind of breach it is.
    public var kind: Kind
    /// The line of the stream, from 1; where something is missing, the last line.
    public var line: Int
    /// What is wrong, in words, naming the scenario.
    public var message: String

    /// Makes a value.
    public init(_ kind: Kind, line: Int, _ message: String) {
        self.kind = kind
        self.line = line
        self.message = message
    }

    /// "KTAP line 12: …".
    public var description: String { "KTAP line \(line): \(message)" }
}
