/* SPDX-License-Identifier: GPL-2.0-only */
/* The kernel's test modules: test_hmm (lib/test_hmm_uapi.h) and test_uffd_ops (lib/test_uffd_ops_uapi.h, of the series). */
#ifndef CUFFD_TEST_MODULES_H
#define CUFFD_TEST_MODULES_H

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The argument of each request of /dev/hmm_dmirror0. */
struct hmm_dmirror_cmd {
	uint64_t addr;
	/* A buffer for what the device read of the range. */
	uint64_t ptr;
	uint64_t npages;
	/* How many pages were read. */
	uint64_t cpages;
	/* How often the device had to fault. */
	uint64_t faults;
};

/* The device reads the range; takes its pages into its memory; gives them back; says, in a byte a page, how it may access
 * them without a fault (0: not at all); has them to itself. */
static const unsigned long CUFFD_HMM_READ = _IOWR('H', 0x00, struct hmm_dmirror_cmd);
static const unsigned long CUFFD_HMM_MIGRATE_TO_DEV = _IOWR('H', 0x02, struct hmm_dmirror_cmd);
static const unsigned long CUFFD_HMM_MIGRATE_TO_SYS = _IOWR('H', 0x03, struct hmm_dmirror_cmd);
static const unsigned long CUFFD_HMM_SNAPSHOT = _IOWR('H', 0x04, struct hmm_dmirror_cmd);
static const unsigned long CUFFD_HMM_EXCLUSIVE = _IOWR('H', 0x05, struct hmm_dmirror_cmd);

/*
 * What TEST_UFFD_OPS_CREATE of /dev/test_uffd_ops makes: a file of so many bytes for these UFFDIO_REGISTER_MODE_*, whose
 * mappings have a ->huge_fault() if the flags are 1.
 */
struct test_uffd_ops_create {
	uint64_t size;
	uint64_t modes;
	uint64_t flags;
};

static const unsigned long CUFFD_TEST_UFFD_OPS_CREATE = _IOW('U', 0x00, struct test_uffd_ops_create);

/* delete_module(2) that does not wait for users to go away: 0, else the negated error number. */
static inline int cuffd_delete_module(const char *name)
{
	return syscall(SYS_delete_module, name, O_NONBLOCK) < 0 ? -errno : 0;
}

#endif
