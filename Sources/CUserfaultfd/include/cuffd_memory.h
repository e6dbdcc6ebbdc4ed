/* SPDX-License-Identifier: GPL-2.0-only */
/* Accesses that the compiler can neither drop, merge nor move: each is one load or store at run time. */
#ifndef CUFFD_MEMORY_H
#define CUFFD_MEMORY_H

#include <stdint.h>

static inline uint8_t cuffd_load8(uintptr_t address)
{
	return __atomic_load_n((volatile uint8_t *)address, __ATOMIC_SEQ_CST);
}

static inline void cuffd_store8(uintptr_t address, uint8_t value)
{
	__atomic_store_n((volatile uint8_t *)address, value, __ATOMIC_SEQ_CST);
}

static inline uint64_t cuffd_load64(uintptr_t address)
{
	return __atomic_load_n((volatile uint64_t *)address, __ATOMIC_SEQ_CST);
}

static inline void cuffd_store64(uintptr_t address, uint64_t value)
{
	__atomic_store_n((volatile uint64_t *)address, value, __ATOMIC_SEQ_CST);
}

static inline uint64_t cuffd_fetch_add64(uintptr_t address, uint64_t value)
{
	return __atomic_fetch_add((volatile uint64_t *)address, value, __ATOMIC_SEQ_CST);
}

/* vmsplice(2) of one range into a pipe, which takes references by GUP: bytes, else the negated error number. */
long cuffd_vmsplice(int fd, uintptr_t address, uintptr_t length);

/* move_pages(2) of this process: the pages that did not move, else the negated error number. */
long cuffd_move_pages(uintptr_t count, uintptr_t *pages, int *nodes, int *status, int flags);

/* What became of an access that may raise SIGSEGV or SIGBUS. */
struct cuffd_probe {
	/* 0, or the signal that the access raised. */
	int signal;
	/* si_code of that signal (sigaction(2)). */
	int code;
	/* si_addr of that signal. */
	uintptr_t address;
	/* The byte that was read, where it was. */
	uint8_t value;
};

/* Catches SIGSEGV and SIGBUS of cuffd_probe_*() in this process from now on; others keep their default action. */
void cuffd_catch_memory_signals(void);

/* Reads, or writes, one byte and tells which signal it raised. Needs cuffd_catch_memory_signals(). */
struct cuffd_probe cuffd_probe_read(uintptr_t address);
struct cuffd_probe cuffd_probe_write(uintptr_t address, uint8_t value);

#endif
