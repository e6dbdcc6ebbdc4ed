// SPDX-License-Identifier: GPL-2.0-only

import CUserfaultfd
import Userfaultfd

/// Private mappings of files, whose pages are the file's until they are written to (rules F1, F2, P2).
enum RWPPrivateFile {
    static let scenarios: [Scenario] = [
        Scenario(
            "rwp-private-file",
            "pages of the file in a private mapping: armed reads trap, armed writes trap and then copy",
            rules: "F1 P2 G1",
            on: [.shmemPrivate, .hugetlbPrivate],
            needs: Need.rwp,
            sync
        ),
        Scenario(
            "rwp-private-file-async",
            "asynchronously, a write to an armed page of the file in a private mapping copies it",
            rules: "F2",
            on: [.shmemPrivate, .shmemTHP, .hugetlbPrivate],
            needs: Need.rwp,
            async
        ),
    ]

    private static func sync(_ context: Context) throws(Failure) {
        let protected = try Protected(context, async: false, populated: false)
        let memory = protected.memory
        let file = try memory.alias()
        file.fill()
        try memory.check("read from the file")
        try protected.showTrap()
        try protected.arm(1..<4)
        try protected.expectTrap(1, .read)
        try protected.expectTrap(2, .write(9), offset: 100)
        try context.expectEqual(file.load(2, offset: 100), 0, "the byte in the file")
        try context.expectEqual(memory.load(2, offset: 100), 9, "the byte written")
        file.store(3, offset: 100, 7)
        try protected.expectAccessed([0, 1, 2], "a write to the file")
        try protected.expectTrap(3, .read)
        try context.expectEqual(memory.load(3, offset: 100), 7, "the file's byte")
        try memory.check("at the end")
    }

    private static func async(_ context: Context) throws(Failure) {
        let first = try Protected(context, async: true, populated: false)
        // The kind with huge pages is a shared one: it gets a private mapping beside that.
        let isShared = context.kind.isShared
        let memory = isShared ? try first.memory.alias(shared: false) : first.memory
        let file = isShared ? first.memory : try memory.alias()
        file.fill()
        if isShared {
            try memory.advise(memory.range, MADV_HUGEPAGE)
            try first.uffd.register(memory.range, .readWriteProtect)
        }
        let protected = Protected(first, memory: memory)
        try memory.check("read from the file")
        try protected.showTrap()
        try protected.armAll()
        for chunk in 1..<4 {
            let page = memory.firstPage(chunk)
            // A page that was read is resolved before the write.
            if chunk > 1 { memory.load(page) }
            memory.store(page, offset: 100, 9)
            try context.expectEqual(memory.load(page, offset: 100), 9, "the byte written to chunk \(chunk)")
            try context.expectEqual(file.load(page, offset: 100), 0, "the byte in the file, chunk \(chunk)")
            try protected.expectAccessed(Array(1...chunk), "chunk \(chunk) is written")
        }
        try protected.expectNoMessage("asynchronous traps")
        try memory.check("at the end")
        try file.check("the file, at the end")
    }
}
