/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * libelf maps the files it reads. When somebody truncates such a file meanwhile, touching the lost
 * pages raises SIGBUS; with this guard they read as zeros, which the ELF readers take for damage.
 */
#ifndef BASE_SIGBUS_H
#define BASE_SIGBUS_H

#include <stdint.h>

/* Installs the guard for the whole process. Returns 0 or -errno. */
int sigbus_guard_install(void);

/* Returns how many pages were lost so far. */
uint32_t sigbus_lost_pages(void);

#endif
