// SPDX-License-Identifier: GPL-2.0-only

import Foundation
import SystemPackage
import Testing

@testable import KernelLab

/// The real thing: a kernel's source from whoever has it. It takes the network, 5 GB in the cache and some minutes, so
/// it runs only when the base to fetch is named in `RWP_TEST_BASE` ("v7.2").
@Suite(.enabled(if: ProcessInfo.processInfo.environment["RWP_TEST_BASE"] != nil, "RWP_TEST_BASE names no base"))
struct RealSourceTests {
    @Test func fetchesAReleaseAndFindsItAgain() async throws {
        let base = try #require(ProcessInfo.processInfo.environment["RWP_TEST_BASE"])
        let start = ContinuousClock.now
        let events = EventSink { event in
            switch event {
            case .advanced: break
            default: print(ContinuousClock.now - start, event)
            }
        }
        let source = KernelSource(cache: KernelCache(), events: events)
        let tree = try await source.tree(of: .base(base))
        #expect(tree.version.hasPrefix(try Base(base).series + "."))
        #expect(try await source.tree(of: .base(base)) == tree)
        print(ContinuousClock.now - start, "found again")
        let snapshot = try await source.tree(of: .tree(tree.path))
        #expect(snapshot.identity == tree.identity)
        print(ContinuousClock.now - start, "snapshot of it")
        #expect(try await source.tree(of: .tree(tree.path)) == snapshot)
        print(ContinuousClock.now - start, "snapshot found again")
    }
}
