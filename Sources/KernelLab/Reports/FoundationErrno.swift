// SPDX-License-Identifier: GPL-2.0-only

import Foundation
import SystemPackage

extension Error {
    /// The system call's error beneath one of Foundation's; EIO where there is none.
    var errno: Errno {
        if let errno = self as? Errno { return errno }
        let error = self as NSError
        if error.domain == NSPOSIXErrorDomain { return Errno(rawValue: CInt(error.code)) }
        if error.domain == NSCocoaErrorDomain, error.code == CocoaError.fileReadNoSuchFile.rawValue {
            return .noSuchFileOrDirectory
        }
        guard let underlying = error.userInfo[NSUnderlyingErrorKey] as? NSError else { return .ioError }
        return underlying.domain == NSPOSIXErrorDomain ? Errno(rawValue: CInt(underlying.code)) : .ioError
    }
}
