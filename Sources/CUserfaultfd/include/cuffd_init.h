/* SPDX-License-Identifier: GPL-2.0-only */
/* What PID 1 does: mounts, modules, swap, the console and power. */
#ifndef CUFFD_INIT_H
#define CUFFD_INIT_H

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/swap.h>
#include <sys/syscall.h>
#include <unistd.h>

/* mount(2) of a file system without a device: 0, else the negated error number. */
static inline int cuffd_mount(const char *type, const char *path, const char *options)
{
	return mount(type, path, type, 0, options) < 0 ? -errno : 0;
}

/* finit_module(2): 0, else the negated error number. `compressed` is MODULE_INIT_COMPRESSED_FILE. */
static inline int cuffd_finit_module(int fd, const char *options, int compressed)
{
	return syscall(SYS_finit_module, fd, options, compressed ? 4 : 0) < 0 ? -errno : 0;
}

/* swapon(2): 0, else the negated error number. */
static inline int cuffd_swapon(const char *path)
{
	return swapon(path, 0) < 0 ? -errno : 0;
}

/* The first page of a swap area, `union swap_header` of <linux/swap.h> with `page_size` bytes, as mkswap(8) writes it. */
static inline void cuffd_swap_header(uint8_t *page, uint64_t page_size, uint32_t last_page)
{
	const uint32_t version = 1;

	memset(page, 0, page_size);
	memcpy(page + 1024, &version, sizeof(version));
	memcpy(page + 1028, &last_page, sizeof(last_page));
	memcpy(page + page_size - 10, "SWAPSPACE2", 10);
}

/* Writes everything out and powers off (reboot(2)). Returns only if that fails. */
static inline void cuffd_power_off(void)
{
	sync();
	reboot(RB_POWER_OFF);
}

/* Makes a terminal the controlling one of the calling session: 0, else the negated error number. */
static inline int cuffd_take_terminal(int fd)
{
	return ioctl(fd, TIOCSCTTY, 1) < 0 ? -errno : 0;
}

/* execve(2) of a program with a list of arguments that a NULL ends; returns the negated error number. */
static inline int cuffd_exec_list(const char *path, char *const *arguments)
{
	static const char *const environment[] = { "PATH=/bin:/sbin:/usr/bin:/usr/sbin", "HOME=/", "TERM=linux", NULL };

	execve(path, arguments, (char *const *)environment);
	return -errno;
}

/* The same with up to three arguments after the program's name. */
static inline int cuffd_exec(const char *path, const char *name, const char *a, const char *b, const char *c)
{
	const char *const arguments[] = { name, a, b, c, NULL };

	return cuffd_exec_list(path, (char *const *)arguments);
}

#endif
