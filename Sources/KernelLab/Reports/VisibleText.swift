// SPDX-License-Identifier: GPL-2.0-only

extension String {
    /// The text with every character shown that XML 1.0 forbids or a terminal would act on.
    ///
    /// Diagnostics are a stranger's bytes. C0 controls become their pictures (ESC is ␛), C1 controls, noncharacters and
    /// what reorders text become U+FFFD; tabs and line feeds stay.
    var visible: String {
        String(String.UnicodeScalarView(unicodeScalars.map(Self.shown)))
    }

    private static func shown(_ scalar: Unicode.Scalar) -> Unicode.Scalar {
        switch scalar.value {
        case 0x09, 0x0A: scalar
        case 0x00...0x1F: Unicode.Scalar(0x2400 + scalar.value) ?? "\u{FFFD}"
        case 0x7F: "\u{2421}"
        case 0x80...0x9F, 0x202A...0x202E, 0x2066...0x2069, 0xFFFE, 0xFFFF: "\u{FFFD}"
        default: scalar
        }
    }
}
