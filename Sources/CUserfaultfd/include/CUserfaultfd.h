/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef CUSERFAULTFD_H
#define CUSERFAULTFD_H
#include <errno.h>
#include <stdint.h>
#endif
