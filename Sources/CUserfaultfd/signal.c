/* SPDX-License-Identifier: GPL-2.0-only */
#include "CUserfaultfd.h"

static unsigned int counted;

static void on_counted_signal(int signal)
{
	(void)signal;
	__atomic_fetch_add(&counted, 1, __ATOMIC_SEQ_CST);
}

void cuffd_count_signal(int signal)
{
	struct sigaction action = { .sa_handler = on_counted_signal, .sa_flags = SA_RESTART };

	sigaction(signal, &action, NULL);
}

unsigned int cuffd_signals_counted(void)
{
	return __atomic_load_n(&counted, __ATOMIC_SEQ_CST);
}
