/* SPDX-License-Identifier: GPL-2.0-only */
/* Processes, as the runner and the scenarios need them and Swift does not import them. */
#ifndef CUFFD_PROCESS_H
#define CUFFD_PROCESS_H

#include <dirent.h>
#include <elf.h>
#include <errno.h>
#include <linux/futex.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
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

/* pidfd_open(2), which glibc declares since 2.36 only: a descriptor (close-on-exec), else the negated error number. */
static inline int cuffd_pidfd_open(int pid)
{
	long fd = syscall(SYS_pidfd_open, pid, 0);

	return fd < 0 ? -errno : (int)fd;
}

/* The next name of an open directory; NULL at the end. Valid until the next call. */
static inline const char *cuffd_next_name(DIR *directory)
{
	struct dirent *entry = readdir(directory);

	return entry ? entry->d_name : NULL;
}

/*
 * futex(2) on the lower half of a word: sleeps while that has a value, until it is woken, and may wake up for nothing. Of
 * threads of one process, on a little-endian machine.
 */
static inline void cuffd_futex_wait(uintptr_t word, uint64_t value)
{
	syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, (uint32_t)value, NULL);
}

static inline void cuffd_futex_wake_all(uintptr_t word)
{
	syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, INT32_MAX);
}

/* Resources of setrlimit(2), which are of an enum type in glibc, some of them macros over it. */
static const int CUFFD_LIMIT_CORE = RLIMIT_CORE;
static const int CUFFD_LIMIT_FILES = RLIMIT_NOFILE;
static const int CUFFD_LIMIT_LOCKED = RLIMIT_MEMLOCK;

/* setrlimit(2) of one limit, soft and hard: 0, else the negated error number. */
static inline int cuffd_set_limit(int resource, uint64_t limit)
{
	struct rlimit value = { .rlim_cur = limit, .rlim_max = limit };

	return setrlimit(resource, &value) < 0 ? -errno : 0;
}

/*
 * Blocks the signals by which people and job control end a command, and makes a signalfd(2) that tells of them
 * (close-on-exec, non-blocking), else the negated error number.
 */
static inline int cuffd_watch_ending_signals(void)
{
	sigset_t set;
	int fd;

	sigemptyset(&set);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		return -errno;
	fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return fd < 0 ? -errno : fd;
}

/* Gives a new child every signal's default action, unblocked: who started the program may have ignored some. */
static inline void cuffd_reset_signals(void)
{
	sigset_t set;

	for (int signal = 1; signal <= SIGRTMAX; signal++)
		sigaction(signal, &(struct sigaction){ .sa_handler = SIG_DFL }, NULL);
	sigemptyset(&set);
	sigprocmask(SIG_SETMASK, &set, NULL);
}

/* The number of the next signal that a signalfd has; 0 where there is none. */
static inline int cuffd_next_signal(int fd)
{
	struct signalfd_siginfo info;

	return read(fd, &info, sizeof(info)) == (ssize_t)sizeof(info) ? (int)info.ssi_signo : 0;
}

#endif
