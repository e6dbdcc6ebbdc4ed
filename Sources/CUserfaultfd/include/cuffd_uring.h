/* SPDX-License-Identifier: GPL-2.0-only */
/* As much of <linux/io_uring.h> as registering a fixed buffer takes (io_uring_setup(2), io_uring_register(2)). */
#ifndef CUFFD_URING_H
#define CUFFD_URING_H

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

/* Makes an io_uring of one entry: its descriptor, else the negated error number. */
static inline int cuffd_uring_setup(void)
{
	/* struct io_uring_params: 120 bytes, all zero but what the kernel answers. */
	uint64_t parameters[15];
	long fd;

	memset(parameters, 0, sizeof(parameters));
	fd = syscall(425 /* io_uring_setup */, 1, parameters);
	return fd < 0 ? -errno : (int)fd;
}

/* IORING_REGISTER_BUFFERS of one buffer, which pins its pages: 0, else the negated error number. */
static inline int cuffd_uring_register_buffer(int fd, uintptr_t address, uintptr_t length)
{
	struct iovec buffer = { .iov_base = (void *)address, .iov_len = length };
	long result = syscall(427 /* io_uring_register */, fd, 0, &buffer, 1);

	return result < 0 ? -errno : 0;
}

#endif
