// SPDX-License-Identifier: GPL-2.0-only

import Scenarios
import Testing

@Suite struct GlobTests {
    @Test(arguments: [
        ("wp-fork", "wp-fork"), ("*", ""), ("*", "wp-fork.anon"), ("wp-*", "wp-fork.anon-thp"),
        ("*.hugetlb", "wp.hugetlb"),
        ("w?-*", "wp-fork"), ("*-*-thp", "wp-fork.anon-thp"), ("a*b*c", "abbbxbc"), ("", ""), ("**", "x"), ("a*", "a"),
    ])
    func matches(pattern: String, text: String) {
        #expect(Glob(pattern).matches(text))
    }

    @Test(arguments: [
        ("wp-fork", "wp-fork.anon"), ("wp-fork", "wp-for"), ("*.hugetlb", "wp.hugetlb-private"), ("?", ""), ("", "x"),
        ("a*b", "abc"), ("a*b*c", "acb"), ("wp-?", "wp-"), ("[w]p", "wp"),
    ])
    func doesNotMatch(pattern: String, text: String) {
        #expect(!Glob(pattern).matches(text))
    }

    @Test func manyStarsAgainstALongTextTakeNoExponentialTime() {
        let pattern = String(repeating: "a*", count: 30) + "b"
        #expect(!Glob(pattern).matches(String(repeating: "a", count: 2000)))
    }
}

@Suite struct NearestNameTests {
    @Test(arguments: [
        ("wp-frok", "wp-fork"), ("wp-fork.ano", "wp-fork.anon"), ("missng-copy", "missing-copy"),
        ("xwp-fork", "wp-fork"),
    ])
    func findsTheNearest(word: String, expected: String) {
        let names = ["missing-copy", "wp-fork", "wp-fork.anon", "wp-swap", "move-thp"]
        #expect(nearestName(to: word, among: names) == expected)
    }

    @Test func swappedNeighboursAreOneEdit() {
        // "ba" is two changes away from "ab", and from "bcd" two as well; the swap makes the first one nearer.
        #expect(nearestName(to: "ab", among: ["abcd", "ba"]) == "ba")
    }

    @Test func firstOfEquallyNearAndNoneOfNone() {
        #expect(nearestName(to: "x", among: ["a", "b"]) == "a")
        #expect(nearestName(to: "x", among: []) == nil)
        #expect(nearestName(to: "", among: ["abc", "a"]) == "a")
    }
}
