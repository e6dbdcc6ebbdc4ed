/* SPDX-License-Identifier: GPL-2.0-only */
/* Processes, mounts and power: what init needs and Swift does not import. */
#ifndef CUFFD_PROCESS_H
#define CUFFD_PROCESS_H

#include <errno.h>
#include <stdint.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/reboot.h>
#include <sys/wait.h>
#include <unistd.h>

/* fork(2): 0 in the child, the child's id in the parent, else the negated error number. */
static inline int cuffd_fork(void)
{
	int pid = fork();

	return pid < 0 ? -errno : pid;
}

static inline int cuffd_exited(int status)
{
	return WIFEXITED(status);
}

static inline int cuffd_exit_code(int status)
{
	return WEXITSTATUS(status);
}

static inline int cuffd_signaled(int status)
{
	return WIFSIGNALED(status);
}

static inline int cuffd_term_signal(int status)
{
	return WTERMSIG(status);
}

/* prctl(2) with up to two arguments: its result, else the negated error number. */
static inline int cuffd_prctl(int option, unsigned long a, unsigned long b)
{
	int result = prctl(option, a, b, 0, 0);

	return result < 0 ? -errno : result;
}

#endif
