// SPDX-License-Identifier: GPL-2.0-only

/// One of the kernel's selftests, as kselftest itself names them: "mm:cow".
public struct KselftestName: Sendable, Hashable, CustomStringConvertible {
    /// The folder under `tools/testing/selftests`: "mm", "drivers/net".
    public let collection: String
    /// The test's program in it: "cow"; empty where only the collection was named.
    public let test: String

    /// Parses COLLECTION:TEST, or COLLECTION alone.
    ///
    /// - Throws: `KselftestError.notAName` for what cannot be one, such as a path that leads elsewhere.
    public init(parsing text: String) throws(KselftestError) {
        let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        let folders = parts[0].split(separator: "/", omittingEmptySubsequences: false)
        let words = folders + (parts.count > 1 ? [parts[1][...]] : [])
        guard words.allSatisfy({ $0.wholeMatch(of: #/[A-Za-z0-9_][A-Za-z0-9_.+-]*/#) != nil }) else {
            throw .notAName(text)
        }
        (collection, test) = (parts[0], parts.count > 1 ? parts[1] : "")
    }

    /// COLLECTION:TEST.
    public var description: String { "\(collection):\(test)" }
}
