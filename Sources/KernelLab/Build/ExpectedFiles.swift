// SPDX-License-Identifier: GPL-2.0-only

import Foundation
import SystemPackage

/// How many files a configuration compiles: what the last whole build of it counted, kept in the cache.
struct ExpectedFiles {
    private let cache: KernelCache
    private let name: String

    init(cache: KernelCache, configuration: KernelConfiguration) {
        self.cache = cache
        name = "." + ContentKey(["configuration": configuration.text]).short + ".files"
    }

    /// The count; nil where none is kept.
    var count: Int? {
        guard let path = try? cache.folder(.kernels).appending(name) else { return nil }
        return (try? String(contentsOfFile: path.string, encoding: .utf8)).flatMap { Int($0) }
    }

    /// Keeps a count. It only feeds a progress bar, so a failure to keep it is none of the build's.
    func save(_ count: Int) {
        guard let path = try? cache.folder(.kernels).appending(name) else { return }
        try? Data(String(count).utf8).write(to: URL(fileURLWithPath: path.string))
    }

    /// An estimate where none is kept: 7.2 compiled 1366 files for the 760 symbols of our x86_64 configuration.
    static func guess(from config: KernelConfig) -> Int {
        config.enabledCount * 9 / 5
    }
}
