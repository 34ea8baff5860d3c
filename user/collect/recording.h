/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* A recording in the making, for the files that make it. */
#ifndef COLLECT_RECORDING_H
#define COLLECT_RECORDING_H

#include "capture/capture.h"
#include "capture/recorder.h"
#include "collect/book.h"
#include "collect/kstacks.h"
#include "collect/record.h"
#include "collect/snapshot.h"
#include "collect/spaces.h"

/* A recording in the making. */
struct recording {
	const struct record_options *options;
	struct recorder *recorder;
	struct capture *capture;
	struct snapshot snapshot;
	struct spaces spaces;
	struct book book;
	struct kstacks kstacks;
	struct vec ended; /* struct wire_exit */
	struct vec runs;  /* struct living_run */
	struct walk walk;
};

struct living_run {
	uint32_t tid;
	struct wire_run run;
};

/* Makes the snapshot's entries complete, one for each thread that lived in the window, and books
 * what is in no sum of the kernel's. Returns 0 or -errno. */
int recording_settle(struct recording *recording);

#endif
