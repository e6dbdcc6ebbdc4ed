/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * <linux/userfaultfd.h> as of the contract's section 2: the modes of 7.2 and RWP. Spelled out here because the
 * machine that compiles may have headers older than the kernel under test; the numbers are ABI and never change.
 */
#ifndef CUFFD_UAPI_H
#define CUFFD_UAPI_H

#include <stdint.h>
#include <sys/ioctl.h>

struct uffd_msg {
	uint8_t event;
	uint8_t reserved1;
	uint16_t reserved2;
	uint32_t reserved3;
	union {
		struct {
			uint64_t flags;
			uint64_t address;
			uint32_t ptid;
		} pagefault;
		struct {
			uint32_t ufd;
		} fork;
		struct {
			uint64_t from;
			uint64_t to;
			uint64_t len;
		} remap;
		struct {
			uint64_t start;
			uint64_t end;
		} remove;
		struct {
			uint64_t reserved1;
			uint64_t reserved2;
			uint64_t reserved3;
		} reserved;
	} arg;
} __attribute__((packed));

struct uffdio_api {
	uint64_t api;
	uint64_t features;
	uint64_t ioctls;
};

struct uffdio_range {
	uint64_t start;
	uint64_t len;
};

struct uffdio_register {
	struct uffdio_range range;
	uint64_t mode;
	uint64_t ioctls;
};

struct uffdio_copy {
	uint64_t dst;
	uint64_t src;
	uint64_t len;
	uint64_t mode;
	int64_t copy;
};

struct uffdio_zeropage {
	struct uffdio_range range;
	uint64_t mode;
	int64_t zeropage;
};

struct uffdio_move {
	uint64_t dst;
	uint64_t src;
	uint64_t len;
	uint64_t mode;
	int64_t move;
};

struct uffdio_writeprotect {
	struct uffdio_range range;
	uint64_t mode;
};

struct uffdio_continue {
	struct uffdio_range range;
	uint64_t mode;
	int64_t mapped;
};

struct uffdio_poison {
	struct uffdio_range range;
	uint64_t mode;
	int64_t updated;
};

struct uffdio_rwprotect {
	struct uffdio_range range;
	uint64_t mode;
};

struct uffdio_set_mode {
	uint64_t enable;
	uint64_t disable;
};

/* Request numbers are macros with casts, which Swift does not import. */
static const unsigned long CUFFD_API = _IOWR(0xAA, 0x3F, struct uffdio_api);
static const unsigned long CUFFD_REGISTER = _IOWR(0xAA, 0x00, struct uffdio_register);
static const unsigned long CUFFD_UNREGISTER = _IOR(0xAA, 0x01, struct uffdio_range);
static const unsigned long CUFFD_WAKE = _IOR(0xAA, 0x02, struct uffdio_range);
static const unsigned long CUFFD_COPY = _IOWR(0xAA, 0x03, struct uffdio_copy);
static const unsigned long CUFFD_ZEROPAGE = _IOWR(0xAA, 0x04, struct uffdio_zeropage);
static const unsigned long CUFFD_MOVE = _IOWR(0xAA, 0x05, struct uffdio_move);
static const unsigned long CUFFD_WRITEPROTECT = _IOWR(0xAA, 0x06, struct uffdio_writeprotect);
static const unsigned long CUFFD_CONTINUE = _IOWR(0xAA, 0x07, struct uffdio_continue);
static const unsigned long CUFFD_POISON = _IOWR(0xAA, 0x08, struct uffdio_poison);
static const unsigned long CUFFD_RWPROTECT = _IOWR(0xAA, 0x09, struct uffdio_rwprotect);
static const unsigned long CUFFD_SET_MODE = _IOW(0xAA, 0x0A, struct uffdio_set_mode);

/* ioctl(2) on /dev/userfaultfd that makes a userfaultfd; its argument is the flags word itself. */
static const unsigned long CUFFD_USERFAULTFD_IOC_NEW = _IO(0xAA, 0x00);

#endif
