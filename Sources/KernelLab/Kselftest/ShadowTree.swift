// SPDX-License-Identifier: GPL-2.0-only

import Foundation
import SystemPackage

/// A folder that looks like a kernel tree and in which one collection of selftests may be built.
///
/// Makefiles of selftests write into the source's folder even when their output goes elsewhere (mm's `local_config.mk`), so
/// the collection is a copy; all else are links to the tree, which is not written to.
struct ShadowTree {
    /// The copied folder of the collection.
    let collection: FilePath

    /// Makes the tree in `folder`, which must not be there.
    init(of tree: FilePath, collection name: String, in folder: FilePath) throws {
        let files = FileManager.default
        var (here, original) = (folder, tree)
        for component in FilePath("tools/testing/selftests").pushing(FilePath(name)).components {
            try files.createDirectory(atPath: here.string, withIntermediateDirectories: false)
            for entry in try files.contentsOfDirectory(atPath: original.string)
            where entry != component.string && !entry.hasPrefix(".") {
                try files.createSymbolicLink(
                    atPath: here.appending(entry).string,
                    withDestinationPath: original.appending(entry).string
                )
            }
            here.append(component)
            original.append(component)
        }
        try files.copyItem(atPath: original.string, toPath: here.string)
        collection = here
    }
}
