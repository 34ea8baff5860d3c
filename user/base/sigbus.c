/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
#include "base/sigbus.h"

#include <errno.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

static volatile sig_atomic_t lost_pages;
static uintptr_t page_bytes;

/* Puts a page of zeros where the file's page is gone. A fault that is not of that kind is left to
 * the default action, which follows at once when the instruction runs again. */
static void on_sigbus(int signal_nr, siginfo_t *info, void *context)
{
	uintptr_t page = (uintptr_t)info->si_addr & ~(page_bytes - 1);
	int saved_errno = errno;

	(void)context;
	if (info->si_code != BUS_ADRERR ||
	    mmap((void *)page, page_bytes, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED)
		signal(signal_nr, SIG_DFL);
	else
		lost_pages = lost_pages + 1;
	errno = saved_errno;
}

int sigbus_guard_install(void)
{
	struct sigaction action = { .sa_sigaction = on_sigbus, .sa_flags = SA_SIGINFO };

	page_bytes = (uintptr_t)sysconf(_SC_PAGESIZE);
	return sigaction(SIGBUS, &action, NULL) ? -errno : 0;
}

uint32_t sigbus_lost_pages(void)
{
	return (uint32_t)lost_pages;
}
