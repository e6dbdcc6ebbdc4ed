/* SPDX-License-Identifier: GPL-2.0-only */
/* The part of <linux/kvm.h> that Swift does not import, or that differs between architectures. */
#ifndef CUFFD_KVM_H
#define CUFFD_KVM_H

#include <errno.h>
#include <linux/kvm.h>
#include <stdint.h>
#include <sys/ioctl.h>

static const unsigned long CUFFD_KVM_GET_API_VERSION = KVM_GET_API_VERSION;
static const unsigned long CUFFD_KVM_CREATE_VM = KVM_CREATE_VM;
static const unsigned long CUFFD_KVM_GET_VCPU_MMAP_SIZE = KVM_GET_VCPU_MMAP_SIZE;
static const unsigned long CUFFD_KVM_SET_USER_MEMORY_REGION = KVM_SET_USER_MEMORY_REGION;
static const unsigned long CUFFD_KVM_ENABLE_CAP = KVM_ENABLE_CAP;
static const unsigned long CUFFD_KVM_CREATE_VCPU = KVM_CREATE_VCPU;
static const unsigned long CUFFD_KVM_RUN = KVM_RUN;

/* ioctl(2) whose argument is a number: 0 or a positive result, else the negated error number. */
static inline int cuffd_ioctl_number(int fd, unsigned long request, unsigned long argument)
{
	int result = ioctl(fd, request, argument);

	return result < 0 ? -errno : result;
}

/* Why KVM_RUN returned, from the page that a vCPU shares with its user. */
struct cuffd_kvm_exit {
	/* KVM_EXIT_... */
	uint32_t reason;
	/* Of KVM_EXIT_IO: whether it was an OUT, its port and the byte. Of KVM_EXIT_MMIO: the address. */
	uint8_t is_out;
	uint8_t byte;
	uint16_t port;
	uint64_t address;
};

static inline struct cuffd_kvm_exit cuffd_kvm_exit(uintptr_t run_address)
{
	const struct kvm_run *run = (const struct kvm_run *)run_address;
	struct cuffd_kvm_exit exit = { .reason = run->exit_reason };

	if (exit.reason == KVM_EXIT_IO) {
		exit.is_out = run->io.direction == KVM_EXIT_IO_OUT;
		exit.byte = *(const uint8_t *)(run_address + run->io.data_offset);
		exit.port = run->io.port;
	} else if (exit.reason == KVM_EXIT_MMIO) {
		exit.address = run->mmio.phys_addr;
	}
	return exit;
}

/* Where a real-mode program starts, and the registers that it starts with. */
struct cuffd_real_mode {
	/* The code segment begins at this guest-physical address, and the program at this offset of it. */
	uint32_t code;
	uint16_t offset;
	uint32_t eax;
	uint32_t ebx;
	uint32_t esi;
	uint32_t edi;
	uint32_t ebp;
};

#if defined(__x86_64__)

/* Whether this architecture's vCPUs have it. */
static inline int cuffd_kvm_has_real_mode(void)
{
	return 1;
}

/* Puts a vCPU into real mode with interrupts on and data segments of 4 GiB: 0, else the negated error number. */
static inline int cuffd_kvm_enter_real_mode(int vcpu, const struct cuffd_real_mode *state)
{
	struct kvm_sregs special;
	struct kvm_regs general = {
		.rip = state->offset, .rflags = 1 << 1 | 1 << 9,
		.rax = state->eax, .rbx = state->ebx, .rsi = state->esi, .rdi = state->edi, .rbp = state->ebp,
	};

	if (ioctl(vcpu, KVM_GET_SREGS, &special) < 0)
		return -errno;
	special.cs.base = state->code;
	special.cs.selector = 0;
	special.ds.limit = special.es.limit = 0xffffffff;
	special.ds.g = special.es.g = 1;
	if (ioctl(vcpu, KVM_SET_SREGS, &special) < 0 || ioctl(vcpu, KVM_SET_REGS, &general) < 0)
		return -errno;
	return 0;
}

/* Where KVM puts what it needs for real mode on Intel's CPUs: 0, else the negated error number. */
static inline int cuffd_kvm_reserve_real_mode(int machine)
{
	return cuffd_ioctl_number(machine, KVM_SET_TSS_ADDR, 0xfffbd000);
}

#else

/* Whether this architecture's vCPUs have it. */
static inline int cuffd_kvm_has_real_mode(void)
{
	return 0;
}

static inline int cuffd_kvm_enter_real_mode(int vcpu, const struct cuffd_real_mode *state)
{
	(void)vcpu;
	(void)state;
	return -EOPNOTSUPP;
}

static inline int cuffd_kvm_reserve_real_mode(int machine)
{
	(void)machine;
	return -EOPNOTSUPP;
}

#endif

#endif
