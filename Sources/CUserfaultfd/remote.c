/* SPDX-License-Identifier: GPL-2.0-only */
#include "CUserfaultfd.h"

long cuffd_vmsplice(int fd, uintptr_t address, uintptr_t length)
{
	struct iovec range = { .iov_base = (void *)address, .iov_len = length };
	long result = vmsplice(fd, &range, 1, 0);

	return result < 0 ? -errno : result;
}

long cuffd_move_pages(uintptr_t count, uintptr_t *pages, int *nodes, int *status, int flags)
{
	long result = syscall(SYS_move_pages, 0, count, pages, nodes, status, flags);

	return result < 0 ? -errno : result;
}
