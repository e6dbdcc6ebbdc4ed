/* SPDX-License-Identifier: GPL-2.0-only */
/* The long-term pins of the kernel's test device, mm/gup_test.h (CONFIG_GUP_TEST). */
#ifndef CUFFD_GUP_TEST_H
#define CUFFD_GUP_TEST_H

#include <stdint.h>
#include <sys/ioctl.h>

struct pin_longterm_test {
	uint64_t addr;
	uint64_t size;
	uint32_t flags;
};

static const unsigned long CUFFD_PIN_LONGTERM_START = _IOW('g', 7, struct pin_longterm_test);
static const unsigned long CUFFD_PIN_LONGTERM_STOP = _IO('g', 8);

#endif
