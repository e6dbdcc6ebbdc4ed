/* SPDX-License-Identifier: GPL-2.0-only */
/* Signals that only have to be noticed. */
#ifndef CUFFD_SIGNAL_H
#define CUFFD_SIGNAL_H

/* Counts a signal in this process from now on instead of taking its default action; its system calls restart. */
void cuffd_count_signal(int signal);

/* How many counted signals have been handled. */
unsigned int cuffd_signals_counted(void);

#endif
