/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * A model with all that a report can meet: the demo server at step 5 with 27 threads, and a second
 * process with every way a stack can be incomplete, C++, Rust and JIT names, and names made to
 * harm whoever prints them.
 */
#ifndef UNIT_REPORT_SAMPLE_H
#define UNIT_REPORT_SAMPLE_H

#include <stdbool.h>
#include <stdint.h>

#include "model/model.h"
#include "report/report.h"

#define SAMPLE_SECOND 1000000000ull
#define SAMPLE_SERVER_TGID 73825
#define SAMPLE_SERVER_THREADS 27
#define SAMPLE_ODD_TGID 80001
#define SAMPLE_ODD_THREADS 19

/* One frame of a stack; those of one pc follow each other, the inlined ones first. */
struct sample_frame {
	const char *module;
	uint64_t module_off;
	const char *func;
	uint64_t func_off;
	const char *file;
	uint32_t line;
	bool inlined;
};

/* Sets up @model, uninitialised, as taken at 2026-11-23 16:30:47 local time, without processes. */
void sample_init(struct model *model);

/* Adds process @tgid, started @age_s before the snapshot. Returns its index. */
uint32_t sample_process(struct model *model, uint32_t tgid, const char *comm, uint64_t age_s);

/* Adds a complete stack of the @cnt frames, leaf first. Returns its index. */
uint32_t sample_stack(struct model *model, uint32_t process, const struct sample_frame *frames,
		      uint32_t cnt);

/* As sample_stack, for one that is not complete. */
uint32_t sample_bad_stack(struct model *model, uint32_t process, const struct sample_frame *frames,
			  uint32_t cnt, enum stack_quality quality, enum stack_end end,
			  uint16_t guessed_idx);

/* Maps @bytes of @module, from its second page on, into @process. */
void sample_mapping(struct model *model, uint32_t process, const char *module, uint64_t bytes,
		    const char *build_id);

/* Adds a blocked thread that ran once; valid until the next one is added. */
struct model_thread *sample_thread(struct model *model, uint32_t process, uint32_t tid,
				   uint32_t stack, enum wait_kind wait, uint64_t age_ns);

/* Sets up @model, uninitialised, with the whole sample, sorted. */
void sample_fill(struct model *model);

/* Returns the report of @model as text, which the caller frees; a profile as pprof_text has it. */
char *sample_render(const struct model *model, const struct report_options *options);

#endif
