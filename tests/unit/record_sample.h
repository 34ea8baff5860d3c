/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * A recording with all that its reports can meet: a server with threads that wait for the whole
 * window, threads that block often and briefly and wake each other, threads that run and that wait
 * for a CPU; and a second process with truncated and missing stacks and a waker of a hostile name.
 */
#ifndef UNIT_RECORD_SAMPLE_H
#define UNIT_RECORD_SAMPLE_H

#include "model/model.h"
#include "report_sample.h"

#define RECORD_SAMPLE_WINDOW_S 10

/* One way in which a thread spent time. Bounds of durations follow from the histogram. */
struct sample_span {
	enum span_kind kind;
	enum wait_kind wait;
	uint32_t stack, waker_stack;
	const char *waker;
	uint64_t total_ns, max_ns, cnt;
	bool open;
};

/* Adds @span of thread @thread; its single ones are spread over three buckets around their average.
 * Returns it, valid until the next one is added. */
struct model_span *sample_span(struct model *model, uint32_t thread,
			       const struct sample_span *span);

/* Sets up @model, uninitialised, with the whole sample, sorted. */
void record_sample_fill(struct model *model);

#endif
