/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * All that user space knows of the machine's ISA: register numbers, signal frames, the names of
 * system calls. One arch_<ISA>.c implements it.
 */
#ifndef UNWIND_ARCH_H
#define UNWIND_ARCH_H

#include <stdint.h>

/* Returns the name of system call @nr, or NULL when it is not known. */
const char *arch_syscall_name(int64_t nr);

#endif
