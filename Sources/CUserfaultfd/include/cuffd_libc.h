/* SPDX-License-Identifier: GPL-2.0-only */
/* The C library's own declarations, as far as Swift can import them, and what it cannot: varargs and macros. */
#ifndef CUFFD_LIBC_H
#define CUFFD_LIBC_H

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

/* errno(3) is a macro over a thread-local. */
static inline int cuffd_errno(void)
{
	return errno;
}

/* ioctl(2): 0 or a positive result, else the negated error number. */
static inline int cuffd_ioctl(int fd, unsigned long request, void *argument)
{
	int result = ioctl(fd, request, argument);

	return result < 0 ? -errno : result;
}

/* open(2): a descriptor (always close-on-exec), else the negated error number. */
static inline int cuffd_open(const char *path, int flags, unsigned int mode)
{
	int fd = open(path, flags | O_CLOEXEC, mode);

	return fd < 0 ? -errno : fd;
}

/* Makes reads of a descriptor fail with EAGAIN instead of blocking: 0, else the negated error number. */
static inline int cuffd_set_nonblocking(int fd)
{
	return fcntl(fd, F_SETFL, O_NONBLOCK) < 0 ? -errno : 0;
}

/* Any system call of up to six words: its result, else the negated error number. */
static inline long cuffd_syscall(long number, long a, long b, long c, long d, long e, long f)
{
	long result = syscall(number, a, b, c, d, e, f);

	return result < 0 ? -errno : result;
}

/* mmap(2): the address, else the negated error number (never a valid address). */
static inline long cuffd_mmap(uintptr_t address, uintptr_t length, int protection, int flags, int fd, long offset)
{
	void *result = mmap((void *)address, length, protection, flags, fd, offset);

	return result == MAP_FAILED ? -errno : (long)(uintptr_t)result;
}

/* mremap(2): the new address, else the negated error number. */
static inline long cuffd_mremap(uintptr_t address, uintptr_t length, uintptr_t new_length, int flags, uintptr_t new_address)
{
	void *result = mremap((void *)address, length, new_length, flags, (void *)new_address);

	return result == MAP_FAILED ? -errno : (long)(uintptr_t)result;
}

#endif
