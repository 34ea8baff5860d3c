/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * Which processes the text report and the page put in one section: those of one name and program
 * that have one thread each, such as the workers of a server. A thread's id is then its process's,
 * so that nothing is lost; every other process is a section of its own.
 *
 *   sections --cnt--> processes: indices, by pid
 */
#ifndef REPORT_KIN_H
#define REPORT_KIN_H

#include <stdint.h>

#include "base/vec.h"
#include "model/model.h"
#include "report/formats.h"

struct kin_section {
	uint32_t first; /* in kin.processes */
	uint32_t cnt;	/* 1 or more */
};

struct kin {
	struct vec sections; /* struct kin_section, by the pid of the first */
	uint32_t *processes;
	uint32_t next_section; /* of kin_next */
	uint32_t left_out_cnt; /* processes of those that kin_next has passed over */
};

/* Returns 0 or -ENOMEM; released in either case. */
int kin_init(struct kin *kin, const struct model *model);
void kin_release(struct kin *kin);

/* Returns the next section of which @report shows something, and counts its threads; NULL when
 * there are no more. */
const struct kin_section *kin_next(struct kin *kin, const struct report *report,
				   struct filter_counts *ret_counts);

static inline const uint32_t *kin_processes(const struct kin *kin,
					    const struct kin_section *section)
{
	return kin->processes + section->first;
}

#endif
