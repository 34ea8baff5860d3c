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

/* The features without which nothing is recorded. */
#define PROBE_RECORD "scheduler's events"
#define PROBE_PIDNS "initial PID namespace"

struct probe_result {
	const char *name;    /* what was tried */
	const char *used_by; /* what needs it */
	bool required;	     /* 'loiter dump' does not work without it */
	bool ok;
	char detail[320]; /* why not, what is lost, and what to do; or what was found */
};

struct probe_trial;

/* Something that the kernel has or lacks. docs/KERNELS.md has the same as a table. */
struct probe_feature {
	const char *name;
	const char *used_by;
	const char *since;  /* the first kernel of the mainline that has it */
	const char *commit; /* the first digits of the commit that brought it; NULL: always there */
	const char *without; /* what is lost where it is missing */
	bool required;
	/* One of the two sets .ok, and .detail if it knows more: by itself, or by how loading
	 * loiter's programs went. */
	void (*probe)(struct probe_result *result);
	void (*judge)(const struct probe_trial *trial, struct probe_result *result);
};

/* Returns every one of them, @ret_cnt in all. */
const struct probe_feature *probe_features(size_t *ret_cnt);

/* Tries everything. Returns how many of the @cap results at @ret were filled. */
size_t probe_all(struct probe_result *ret, size_t cap);

/* Checks what every capture needs before anything is loaded. Returns 0, or -EPERM (capabilities) or
 * -ENOENT (BTF) with @err naming what is missing and the remedy. */
int probe_require(struct err *err);

/* Whether loiter itself lives in the machine's initial PID namespace, whose ids the kernel uses. */
bool probe_pidns_is_initial(void);

#endif
