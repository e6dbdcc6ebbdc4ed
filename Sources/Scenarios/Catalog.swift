// SPDX-License-Identifier: GPL-2.0-only

/// Every scenario of the suite, subject by subject.
public enum Catalog {
    /// All scenarios, in the order in which they run.
    public static let scenarios: [Scenario] =
        API.scenarios
        + WriteProtect.scenarios
        + SoftDirty.scenarios
        + Missing.scenarios
        + Minor.scenarios
        + Poison.scenarios
        + Move.scenarios
        + Event.scenarios
        + UffdOps.scenarios
        + RWP.scenarios
        + Benchmark.scenarios
}
