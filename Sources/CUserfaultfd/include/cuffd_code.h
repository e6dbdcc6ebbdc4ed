/* SPDX-License-Identifier: GPL-2.0-only */
/* Machine code in a scenario's memory: a function that does nothing but return. */
#ifndef CUFFD_CODE_H
#define CUFFD_CODE_H

#include <stdint.h>
#include <string.h>

/* Writes the function to an address, a multiple of 4, and makes it visible to instruction fetches. */
static inline void cuffd_store_return(uintptr_t address)
{
#if defined(__x86_64__)
	static const uint8_t code[] = { 0xc3 }; /* ret */
#elif defined(__aarch64__)
	static const uint8_t code[] = { 0xc0, 0x03, 0x5f, 0xd6 }; /* ret */
#elif defined(__riscv)
	static const uint8_t code[] = { 0x67, 0x80, 0x00, 0x00 }; /* ret, that is jalr x0, 0(ra) */
#else
#error "what does a function that only returns look like on this architecture?"
#endif
	memcpy((void *)address, code, sizeof(code));
	__builtin___clear_cache((char *)address, (char *)address + sizeof(code));
}

/* Calls the function at an address. */
static inline void cuffd_call(uintptr_t address)
{
	((void (*)(void))address)();
}

#endif
