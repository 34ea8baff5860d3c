/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* Which threads a report shows, in one place for every format (--no-idle, --min-block). */
#ifndef REPORT_FILTER_H
#define REPORT_FILTER_H

#include <stdbool.h>
#include <stdint.h>

#include "model/model.h"
#include "report/report.h"

struct filter_counts {
	uint32_t shown;
	uint32_t idle;	 /* left out by --no-idle */
	uint32_t recent; /* left out by --min-block */
};

/* Whether the report shows @thread. */
bool filter_shows(const struct report_options *options, const struct model_thread *thread);

/* Counts the threads of the @process_cnt @processes. */
struct filter_counts filter_count(const struct model *model, const struct report_options *options,
				  const uint32_t *processes, uint32_t process_cnt);

#endif
