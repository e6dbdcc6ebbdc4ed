// SPDX-License-Identifier: GPL-2.0-only

/// Runs both at once; the first error of one cancels the other.
func sideBySide<One: Sendable, Other: Sendable>(
    _ one: @escaping @Sendable () async throws -> One,
    _ other: @escaping @Sendable () async throws -> Other
) async throws -> (One, Other) {
    try await withThrowingTaskGroup(of: Half<One, Other>.self) { group in
        group.addTask { .one(try await one()) }
        group.addTask { .other(try await other()) }
        var (first, second): (One?, Other?)
        while let half = try await group.next() {
            switch half {
            case .one(let value): first = value
            case .other(let value): second = value
            }
        }
        guard let first, let second else { throw CancellationError() }
        return (first, second)
    }
}

private enum Half<One: Sendable, Other: Sendable>: Sendable {
    case one(One)
    case other(Other)
}
