/* SPDX-License-Identifier: GPL-2.0-only */
/* The kernel's device for testing GUP, mm/gup_test.h (CONFIG_GUP_TEST). */
#ifndef CUFFD_GUP_TEST_H
#define CUFFD_GUP_TEST_H

#include <stdint.h>
#include <sys/ioctl.h>

struct gup_test {
	uint64_t get_delta_usec;
	uint64_t put_delta_usec;
	uint64_t addr;
	uint64_t size;
	uint32_t nr_pages_per_call;
	uint32_t gup_flags;
	uint32_t test_flags;
	uint32_t which_pages[8];
};

struct pin_longterm_test {
	uint64_t addr;
	uint64_t size;
	uint32_t flags;
};

/* get_user_pages_fast(), get_user_pages(), pin_user_pages() over a range, released at once. */
static const unsigned long CUFFD_GUP_FAST = _IOWR('g', 1, struct gup_test);
static const unsigned long CUFFD_GUP_BASIC = _IOWR('g', 4, struct gup_test);
static const unsigned long CUFFD_PIN_BASIC = _IOWR('g', 5, struct gup_test);
/* pin_user_pages(FOLL_LONGTERM), kept until the stop. */
static const unsigned long CUFFD_PIN_LONGTERM_START = _IOW('g', 7, struct pin_longterm_test);
static const unsigned long CUFFD_PIN_LONGTERM_STOP = _IO('g', 8);

#endif
