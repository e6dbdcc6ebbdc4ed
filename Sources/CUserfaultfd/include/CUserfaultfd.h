/* SPDX-License-Identifier: GPL-2.0-only */
/* Everything that the guest program calls outside of Swift: the kernel's UAPI and the C library. */
#ifndef CUSERFAULTFD_H
#define CUSERFAULTFD_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include "cuffd_libc.h"
#include "cuffd_uapi.h"
#include "cuffd_pagemap.h"
#include "cuffd_gup_test.h"
#include "cuffd_kvm.h"
#include "cuffd_test_modules.h"
#include "cuffd_memory.h"
#include "cuffd_code.h"
#include "cuffd_process.h"
#include "cuffd_init.h"
#include "cuffd_signal.h"

#endif
