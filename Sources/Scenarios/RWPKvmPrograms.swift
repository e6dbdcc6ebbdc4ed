// SPDX-License-Identifier: GPL-2.0-only

import Userfaultfd

/// The programs that a virtual CPU runs: real-mode code with 32-bit addresses.
///
/// Each ends by writing AL to a port: `portDone`, or `portWrong` where it found what it should not.
enum GuestProgram: Int, CaseIterable {
    /// Reads the byte at ESI.
    case read
    /// Writes AL to the byte at ESI.
    case write
    /// Reads a byte at each address of the list at ESI, which zero ends.
    case readAll
    /// Adds 1 to the word at each address of the list at EBP, over and over, and to the one at EDI each time, until the
    /// byte at EBX is not zero. ESI is EBP at first.
    case count
    /// For each pair of addresses of the list at ESI, which zeroes end: expects the word at the second to equal the one at
    /// the first, and adds 1 to both.
    case verify

    static let portDone: UInt16 = 0x10
    static let portWrong: UInt16 = 0x11

    /// Code that loads a byte into AL, to be fetched from the page under test.
    static func load(_ byte: UInt8) -> [UInt8] {
        // mov al, byte; out portDone, al
        [0xB0, byte, 0xE6, 0x10]
    }

    var code: [UInt8] {
        switch self {
        case .read:
            // mov al, [esi]; out portDone, al
            [0x67, 0x8A, 0x06, 0xE6, 0x10]
        case .write:
            // mov [esi], al; out portDone, al
            [0x67, 0x88, 0x06, 0xE6, 0x10]
        case .readAll:
            [
                0x66, 0x67, 0xAD,  //       next: lodsd
                0x66, 0x85, 0xC0,  //             test eax, eax
                0x74, 0x05,  //                   jz done
                0x67, 0x8A, 0x18,  //             mov bl, [eax]
                0xEB, 0xF3,  //                   jmp next
                0xE6, 0x10,  //             done: out portDone, al
            ]
        case .count:
            [
                0x66, 0x67, 0xAD,  //       next: lodsd
                0x66, 0x85, 0xC0,  //             test eax, eax
                0x75, 0x05,  //                   jnz add
                0x66, 0x89, 0xEE,  //             mov esi, ebp
                0xEB, 0xF3,  //                   jmp next
                0xF0, 0x66, 0x67, 0xFF, 0x00,  // add: lock inc dword [eax]
                0x66, 0x67, 0xFF, 0x07,  //       inc dword [edi]
                0x67, 0x80, 0x3B, 0x00,  //       cmp byte [ebx], 0
                0x74, 0xE4,  //                   je next
                0xE6, 0x10,  //                   out portDone, al
            ]
        case .verify:
            [
                0x66, 0x67, 0xAD,  //       next: lodsd
                0x66, 0x97,  //                   xchg edi, eax
                0x66, 0x67, 0xAD,  //             lodsd
                0x66, 0x85, 0xC0,  //             test eax, eax
                0x74, 0x16,  //                   jz done
                0x66, 0x67, 0x8B, 0x1F,  //       mov ebx, [edi]
                0x66, 0x67, 0x3B, 0x18,  //       cmp ebx, [eax]
                0x75, 0x0E,  //                   jne wrong
                0x66, 0x43,  //                   inc ebx
                0x66, 0x67, 0x89, 0x18,  //       mov [eax], ebx
                0x66, 0x67, 0x89, 0x1F,  //       mov [edi], ebx
                0xEB, 0xDD,  //                   jmp next
                0xE6, 0x10,  //             done: out portDone, al
                0xE6, 0x11,  //            wrong: out portWrong, al
            ]
        }
    }
}
