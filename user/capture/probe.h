/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * What this kernel and these privileges allow: each feature is tried, never inferred from a
 * version. The table is what 'loiter check' prints.
 */
#ifndef CAPTURE_PROBE_H
#define CAPTURE_PROBE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

struct probe_result {
	const char *name;    /* what was tried */
	const char *used_by; /* what needs it */
	bool required;	     /* 'loiter dump' does not work without it */
	bool ok;
	char detail[256]; /* why not, and what to do; or what was found */
};

/* Tries everything. Returns how many of the @cap results at @ret were filled. */
size_t probe_all(struct probe_result *ret, size_t cap);

/* Checks what every capture needs before anything is loaded. Returns 0, or -EPERM (capabilities) or
 * -ENOENT (BTF) with @err naming what is missing and the remedy. */
int probe_require(struct err *err);

#endif
