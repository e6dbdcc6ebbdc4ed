/* SPDX-License-Identifier: GPL-2.0-only */
#include "CUserfaultfd.h"

#include <setjmp.h>

static __thread sigjmp_buf probe_return;
static __thread volatile sig_atomic_t probing;
static __thread struct cuffd_probe probe;

static void on_memory_signal(int signal, siginfo_t *info, void *context)
{
	(void)context;
	if (!probing) {
		/* Not ours: let the access raise it again and end the process as it would have. */
		sigaction(signal, &(struct sigaction){ .sa_handler = SIG_DFL }, NULL);
		return;
	}
	probing = 0;
	probe.signal = signal;
	probe.code = info->si_code;
	probe.address = (uintptr_t)info->si_addr;
	siglongjmp(probe_return, 1);
}

void cuffd_catch_memory_signals(void)
{
	struct sigaction action = { .sa_sigaction = on_memory_signal, .sa_flags = SA_SIGINFO };

	sigaction(SIGSEGV, &action, NULL);
	sigaction(SIGBUS, &action, NULL);
}

struct cuffd_probe cuffd_probe_read(uintptr_t address)
{
	probe = (struct cuffd_probe){ 0 };
	if (!sigsetjmp(probe_return, 1)) {
		probing = 1;
		probe.value = cuffd_load8(address);
	}
	probing = 0;
	return probe;
}

struct cuffd_probe cuffd_probe_write(uintptr_t address, uint8_t value)
{
	probe = (struct cuffd_probe){ 0 };
	if (!sigsetjmp(probe_return, 1)) {
		probing = 1;
		cuffd_store8(address, value);
	}
	probing = 0;
	return probe;
}
