/* SPDX-License-Identifier: GPL-2.0-only */
/* The PAGEMAP_SCAN part of <linux/fs.h>; see Documentation/admin-guide/mm/pagemap.rst. */
#ifndef CUFFD_PAGEMAP_H
#define CUFFD_PAGEMAP_H

#include <stdint.h>
#include <sys/ioctl.h>

struct page_region {
	uint64_t start;
	uint64_t end;
	uint64_t categories;
};

struct pm_scan_arg {
	uint64_t size;
	uint64_t flags;
	uint64_t start;
	uint64_t end;
	uint64_t walk_end;
	uint64_t vec;
	uint64_t vec_len;
	uint64_t max_pages;
	uint64_t category_inverted;
	uint64_t category_mask;
	uint64_t category_anyof_mask;
	uint64_t return_mask;
};

static const unsigned long CUFFD_PAGEMAP_SCAN = _IOWR('f', 16, struct pm_scan_arg);

#endif
