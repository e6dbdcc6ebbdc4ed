// SPDX-License-Identifier: GPL-2.0-only

import Foundation
import SystemPackage

/// The symbols that a tree's Kconfig files define, to tell a symbol that the kernel lacks from one that is held back.
enum KconfigSymbols {
    /// Reads every Kconfig file below `tree`. Architectures are not told apart, which is good enough for a hint.
    static func defined(in tree: FilePath) -> Set<String> {
        var symbols: Set<String> = []
        guard let names = FileManager.default.enumerator(atPath: tree.string) else { return symbols }
        while let name = names.nextObject() as? String {
            // No symbol is defined there, and together they are half of the tree.
            if ["Documentation", "tools"].contains(name) || name.hasPrefix(".") {
                names.skipDescendants()
                continue
            }
            guard let file = name.split(separator: "/").last, file.hasPrefix("Kconfig") else { continue }
            guard let text = try? String(contentsOfFile: tree.pushing(FilePath(name)).string, encoding: .utf8) else {
                continue
            }
            for line in text.split(separator: "\n") {
                let words = line.split(separator: " ", maxSplits: 1)
                if words.count == 2, words[0] == "config" || words[0] == "menuconfig" {
                    symbols.insert(words[1].trimmingCharacters(in: .whitespaces))
                }
            }
        }
        return symbols
    }
}
