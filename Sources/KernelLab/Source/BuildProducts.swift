// SPDX-License-Identifier: GPL-2.0-only

/// What a kernel build leaves at the top of its tree, as gitignore(5) patterns.
///
/// Below the top the tree's own .gitignore files tell. At the top they cannot be relied on: Debian's source ignores
/// everything there ("/*"), and mainline's ignores files whose name begins with a dot, .gitignore of a plain copy among
/// them. To be given to git one by one (`--exclude`), which
/// puts them before the tree's own files; the last of them that matches decides.
enum BuildProducts {
    static let patterns = [
        "!/*", "!.*", ".git", ".*.cmd", ".*.d", ".*.o", ".*.tmp", ".*.swp", ".tmp_*", ".pc", ".ccache",
        "/.config*", "/.version", "/.vmlinux*", "/.kunit", "/vmlinux*", "/System.map", "/Module.*",
        "/modules*", "/*.o", "/*.a", "/*.ko", "/*.symvers", "/*.orig", "/*.rej", "/*~", "/tags", "/TAGS",
        "/cscope.*", "/compile_commands.json", "/certs/signing_key.*", "/include/config/",
        "/include/generated/",
    ]
}
